    DROP TRIGGER list_patient;          -- an ID is searched as people read it
    CREATE TRIGGER list_patient INSTEAD OF INSERT ON patients_to_list BEGIN
        DELETE FROM listed_patients WHERE patient_id = NEW.patient_id;
        INSERT INTO listed_patients (patient_id, is_nameless, name, words)
            SELECT patient_id, name = '', name,
                fold(name) || char(10) || fold(shown_id(patient_id)) || char(10, 10)
            FROM patients WHERE patient_id = NEW.patient_id AND deleted_at = '';
    END;
    INSERT INTO patients_to_list SELECT patient_id FROM listed_patients
        WHERE shown_id(patient_id) != patient_id;
