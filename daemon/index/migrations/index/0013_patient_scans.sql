    CREATE TABLE patient_scans (
        patient_id TEXT PRIMARY KEY,
        scans INTEGER NOT NULL,
        last TEXT NOT NULL              -- when the last was acquired, or else published
    ) WITHOUT ROWID;
    CREATE INDEX patient_scans_by_last ON patient_scans (last, patient_id);
    CREATE INDEX scans_in_counts ON scans (patient_id, acquired_at, published_at, scan_id);
    DROP INDEX scans_by_patient;
    CREATE VIEW counted_scans AS
        SELECT s.patient_id, count(DISTINCT s.scan_id) AS scans,
            coalesce(max(s.acquired_at), max(s.published_at)) AS last
        FROM standing_scans s WHERE s.patient_id != 'unassigned'
        GROUP BY s.patient_id;
    CREATE VIEW patients_to_count AS SELECT '' AS patient_id;   -- a procedure, as SQLite has none
    CREATE TRIGGER count_patient INSTEAD OF INSERT ON patients_to_count BEGIN
        DELETE FROM patient_scans WHERE patient_id = NEW.patient_id;
        INSERT INTO patient_scans SELECT * FROM counted_scans WHERE patient_id = NEW.patient_id;
    END;
    CREATE TRIGGER scan_counts AFTER INSERT ON scans WHEN NEW.patient_id != 'unassigned' BEGIN
        INSERT INTO patients_to_count VALUES (NEW.patient_id);
    END;
    CREATE TRIGGER scan_recounts AFTER UPDATE OF patient_id, acquired_at, published_at ON scans
        BEGIN
        INSERT INTO patients_to_count VALUES (OLD.patient_id);
        INSERT INTO patients_to_count VALUES (NEW.patient_id);
    END;
    CREATE TRIGGER scan_uncounts AFTER DELETE ON scans WHEN OLD.patient_id != 'unassigned' BEGIN
        INSERT INTO patients_to_count VALUES (OLD.patient_id);
    END;
    CREATE TRIGGER given_counts AFTER INSERT ON given_scans BEGIN
        INSERT INTO patients_to_count VALUES (NEW.patient_id);
    END;
    CREATE TRIGGER given_recounts AFTER UPDATE ON given_scans BEGIN
        INSERT INTO patients_to_count VALUES (OLD.patient_id);
        INSERT INTO patients_to_count VALUES (NEW.patient_id);
    END;
    CREATE TRIGGER given_uncounts AFTER DELETE ON given_scans BEGIN
        INSERT INTO patients_to_count VALUES (OLD.patient_id);
    END;
    INSERT INTO patient_scans SELECT * FROM counted_scans;

    DROP INDEX worklist_unreviewed;     -- now it alone tells what has no review
    CREATE INDEX worklist_unreviewed ON worklist (urgency, growth_order, arrived_at, row_id)
        WHERE stage = 'done' AND decision = '' AND finding != 'not_judged';
    CREATE INDEX worklist_of_state ON worklist (state, urgency, growth_order, arrived_at, row_id);
    CREATE INDEX worklist_of_finding
        ON worklist (finding, urgency, growth_order, arrived_at, row_id);
    CREATE INDEX worklist_of_side ON worklist (side, urgency, growth_order, arrived_at, row_id);
    CREATE INDEX worklist_of_arrival ON worklist    -- with all that a list of some days needs
        (arrived_at, urgency, growth_order, stage, patient_id, scan_id);
