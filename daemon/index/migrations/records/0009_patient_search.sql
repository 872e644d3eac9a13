    CREATE TABLE listed_patients (      -- those not deleted, as they are searched and sorted
        number INTEGER PRIMARY KEY,
        patient_id TEXT NOT NULL UNIQUE,
        is_nameless INTEGER NOT NULL,
        name TEXT NOT NULL COLLATE NOCASE,
        words TEXT NOT NULL             -- name and ID without case and accents
    );
    CREATE INDEX listed_by_name ON listed_patients (is_nameless, name, patient_id);
    CREATE VIRTUAL TABLE patient_names USING fts5
        (words, content = 'listed_patients', content_rowid = 'number', tokenize = 'trigram');
    CREATE TRIGGER listed_is_searched AFTER INSERT ON listed_patients BEGIN
        INSERT INTO patient_names (rowid, words) VALUES (NEW.number, NEW.words);
    END;
    CREATE TRIGGER unlisted_is_not_searched AFTER DELETE ON listed_patients BEGIN
        INSERT INTO patient_names (patient_names, rowid, words)
            VALUES ('delete', OLD.number, OLD.words);
    END;
    CREATE VIEW patients_to_list AS SELECT '' AS patient_id;    -- a procedure, as SQLite has none
    CREATE TRIGGER list_patient INSTEAD OF INSERT ON patients_to_list BEGIN
        DELETE FROM listed_patients WHERE patient_id = NEW.patient_id;
        INSERT INTO listed_patients (patient_id, is_nameless, name, words)
            SELECT patient_id, name = '', name, fold(name) || char(10) || fold(patient_id)
            FROM patients WHERE patient_id = NEW.patient_id AND deleted_at = '';
    END;
    CREATE TRIGGER patient_lists AFTER INSERT ON patients BEGIN
        INSERT INTO patients_to_list VALUES (NEW.patient_id);
    END;
    CREATE TRIGGER patient_relists AFTER UPDATE OF name, deleted_at ON patients BEGIN
        INSERT INTO patients_to_list VALUES (NEW.patient_id);
    END;
    CREATE TRIGGER patient_unlists AFTER DELETE ON patients BEGIN
        DELETE FROM listed_patients WHERE patient_id = OLD.patient_id;
    END;
    INSERT INTO listed_patients (patient_id, is_nameless, name, words)
        SELECT patient_id, name = '', name, fold(name) || char(10) || fold(patient_id)
        FROM patients WHERE deleted_at = '';
    DROP INDEX patients_by_name;
