    DROP TRIGGER list_patient;
    CREATE TRIGGER list_patient INSTEAD OF INSERT ON patients_to_list BEGIN
        DELETE FROM listed_patients WHERE patient_id = NEW.patient_id;
        INSERT INTO listed_patients (patient_id, is_nameless, name, words)
            SELECT patient_id, name = '', name,
                fold(name) || char(10) || fold(patient_id) || char(10, 10)
            FROM patients WHERE patient_id = NEW.patient_id AND deleted_at = '';
    END;
    UPDATE listed_patients SET words = words || char(10, 10);
    INSERT INTO patient_names (patient_names) VALUES ('rebuild');
    CREATE VIRTUAL TABLE patient_grams USING fts5vocab (patient_names, 'instance');
