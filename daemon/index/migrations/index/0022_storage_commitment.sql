ALTER TABLE sent_objects ADD COLUMN sop_uid TEXT NOT NULL DEFAULT '';          -- under which the archive was asked for it
ALTER TABLE sent_objects ADD COLUMN transaction_uid TEXT NOT NULL DEFAULT '';  -- of that question
ALTER TABLE sent_objects ADD COLUMN commitment TEXT NOT NULL DEFAULT '';       -- '' = not asked; asked, committed, refused, unanswered
ALTER TABLE sent_objects ADD COLUMN commitment_code TEXT NOT NULL DEFAULT '';  -- why it was refused, a DICOM status
ALTER TABLE sent_objects ADD COLUMN commitment_at TEXT;                        -- since when

CREATE INDEX sent_objects_asked ON sent_objects (destination, transaction_uid)
    WHERE transaction_uid != '';
