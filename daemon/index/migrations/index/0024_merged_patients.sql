    CREATE TABLE merged_patients (      -- as the records say: scans of one are shown with the other
        patient_id TEXT PRIMARY KEY,
        into_id TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX merged_into ON merged_patients (into_id);
    DROP TRIGGER count_patient;
    CREATE TRIGGER count_patient INSTEAD OF INSERT ON patients_to_count BEGIN
        DELETE FROM patient_scans WHERE patient_id = NEW.patient_id;
        DELETE FROM patient_scans WHERE patient_id
            = (SELECT into_id FROM merged_patients WHERE patient_id = NEW.patient_id);
        INSERT INTO patient_scans SELECT patient_id, scans, last FROM (
            SELECT coalesce((SELECT into_id FROM merged_patients
                    WHERE patient_id = NEW.patient_id), NEW.patient_id) AS patient_id,
                count(DISTINCT s.scan_id) AS scans,
                coalesce(max(s.acquired_at), max(s.published_at)) AS last
            FROM standing_scans s WHERE s.patient_id != 'unassigned' AND s.patient_id IN (
                SELECT NEW.patient_id
                UNION SELECT into_id FROM merged_patients WHERE patient_id = NEW.patient_id
                UNION SELECT patient_id FROM merged_patients WHERE into_id = NEW.patient_id
                UNION SELECT o.patient_id FROM merged_patients m
                    JOIN merged_patients o ON o.into_id = m.into_id
                    WHERE m.patient_id = NEW.patient_id))
            WHERE scans > 0;
    END;
