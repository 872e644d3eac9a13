    ALTER TABLE patients ADD COLUMN photo_id TEXT NOT NULL DEFAULT '';   -- opaque; '' = none
    ALTER TABLE patients ADD COLUMN version INTEGER NOT NULL DEFAULT 1;  -- grows with each change
    ALTER TABLE patients ADD COLUMN deleted_at TEXT NOT NULL DEFAULT ''; -- '' = not deleted
    CREATE INDEX patients_by_name ON patients (name = '', name COLLATE NOCASE, patient_id)
        WHERE deleted_at = '';
    CREATE UNIQUE INDEX patients_by_photo ON patients (photo_id) WHERE photo_id != '';
    CREATE TABLE photos (photo_id TEXT PRIMARY KEY, jpeg BLOB NOT NULL);
    CREATE TABLE deleted_patients (     -- what was entered about them, until it is erased
        deletion INTEGER PRIMARY KEY,
        patient_key TEXT NOT NULL,
        patient_id TEXT NOT NULL,
        record TEXT NOT NULL,           -- JSON: every field that was entered, and the photo
        deleted_by TEXT NOT NULL,
        deleted_at TEXT NOT NULL,
        erase_at TEXT NOT NULL
    );
    CREATE INDEX deletions_by_patient ON deleted_patients (patient_key);
    CREATE TABLE patient_changes (
        change INTEGER PRIMARY KEY,
        patient_key TEXT NOT NULL,
        version INTEGER NOT NULL,       -- of the record after it
        at TEXT NOT NULL,
        entered_by TEXT NOT NULL,       -- '' = DICOM tags told it
        field TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL
    );
    CREATE INDEX changes_by_patient ON patient_changes (patient_key, change);
    CREATE TRIGGER changes_stay_as_they_are BEFORE UPDATE ON patient_changes
        BEGIN SELECT RAISE(ABORT, 'a change is never changed'); END;
    CREATE TRIGGER changes_stay BEFORE DELETE ON patient_changes
        WHEN NOT EXISTS (SELECT 1 FROM deleted_patients d
            WHERE d.patient_key = OLD.patient_key AND OLD.at <= d.deleted_at)
        BEGIN SELECT RAISE(ABORT, 'a change is never forgotten'); END;
    CREATE TABLE assignments (          -- scans of `unassigned` that people gave to a patient
        assignment INTEGER PRIMARY KEY,
        scan_id TEXT NOT NULL,
        patient_id TEXT NOT NULL,
        target TEXT NOT NULL,           -- scan_id of the same content under the patient
        was_there INTEGER NOT NULL,     -- 1: the patient had that scan without the assignment
        given_by TEXT NOT NULL,
        given_at TEXT NOT NULL,
        placed_at TEXT NOT NULL DEFAULT '',         -- when its files lay in the inbox
        taken_back_by TEXT NOT NULL DEFAULT '',
        taken_back_at TEXT NOT NULL DEFAULT ''
    );
    CREATE UNIQUE INDEX one_patient_a_scan ON assignments (scan_id) WHERE taken_back_at = '';
