    ALTER TABLE scans ADD COLUMN study_uid TEXT;                    -- StudyInstanceUID
    ALTER TABLE scans ADD COLUMN accession TEXT NOT NULL DEFAULT '';
    ALTER TABLE scans ADD COLUMN study_date TEXT NOT NULL DEFAULT '';   -- ISO 8601, or ''
    CREATE INDEX scans_by_study ON scans (patient_id, study_uid) WHERE study_uid IS NOT NULL;
    CREATE INDEX files_by_path ON files (path) WHERE in_inbox;
