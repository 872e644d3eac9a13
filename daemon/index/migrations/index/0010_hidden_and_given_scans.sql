    CREATE TABLE hidden_patients (      -- deleted by a person: the records said so first
        patient_id TEXT PRIMARY KEY
    ) WITHOUT ROWID;
    CREATE TABLE given_scans (          -- what people gave to a patient, as the records say
        scan_id TEXT NOT NULL,          -- of the scan in `unassigned`
        patient_id TEXT NOT NULL,
        target TEXT NOT NULL,           -- scan_id of the same content under the patient
        is_given INTEGER NOT NULL,      -- 0: taken back
        is_hidden INTEGER NOT NULL,     -- 1: the target is there by that mistake alone
        PRIMARY KEY (scan_id, patient_id)
    ) WITHOUT ROWID;
    CREATE INDEX given_targets ON given_scans (target);
    CREATE VIEW standing_scans AS SELECT * FROM scans WHERE NOT EXISTS
        (SELECT 1 FROM given_scans g WHERE g.target = scans.scan_id AND g.is_hidden);
    CREATE VIEW shown_scans AS SELECT * FROM standing_scans s WHERE NOT EXISTS
        (SELECT 1 FROM hidden_patients h WHERE h.patient_id = s.patient_id) AND NOT EXISTS
        (SELECT 1 FROM given_scans g JOIN scans t ON t.scan_id = g.target
            WHERE g.scan_id = s.scan_id AND g.is_given);
