    CREATE TABLE patient_merges (       -- two records that people say are of one patient
        merge INTEGER PRIMARY KEY,
        patient_id TEXT NOT NULL,       -- the one that is listed no more
        into_id TEXT NOT NULL,          -- with whom its scans are shown
        reason TEXT NOT NULL,
        merged_by TEXT NOT NULL,
        merged_at TEXT NOT NULL,
        undone_by TEXT NOT NULL DEFAULT '',
        undone_at TEXT NOT NULL DEFAULT ''
    );
    CREATE UNIQUE INDEX one_merge_a_patient ON patient_merges (patient_id) WHERE undone_at = '';
    CREATE INDEX patients_merged_into ON patient_merges (into_id) WHERE undone_at = '';
    CREATE INDEX merges_of_patient ON patient_merges (patient_id, merge);
    CREATE TRIGGER merge_lists AFTER INSERT ON patient_merges BEGIN
        INSERT INTO patients_to_list VALUES (NEW.patient_id);
        INSERT INTO patients_to_list VALUES (NEW.into_id);
    END;
    CREATE TRIGGER merge_relists AFTER UPDATE OF undone_at ON patient_merges BEGIN
        INSERT INTO patients_to_list VALUES (NEW.patient_id);
        INSERT INTO patients_to_list VALUES (NEW.into_id);
    END;
    DROP TRIGGER patient_relists;
    CREATE TRIGGER patient_relists AFTER UPDATE OF name, deleted_at ON patients BEGIN
        INSERT INTO patients_to_list VALUES (NEW.patient_id);
        INSERT INTO patients_to_list SELECT into_id FROM patient_merges
            WHERE patient_id = NEW.patient_id AND undone_at = '';
    END;
    DROP TRIGGER list_patient;
    CREATE TRIGGER list_patient INSTEAD OF INSERT ON patients_to_list BEGIN
        DELETE FROM listed_patients WHERE patient_id = NEW.patient_id;
        INSERT INTO listed_patients (patient_id, is_nameless, name, words)
            SELECT patient_id, name = '', name,
                fold(name) || char(10) || fold(shown_id(patient_id)) || char(10, 10)
                || coalesce((SELECT group_concat(fold(o.name) || char(10)
                    || fold(shown_id(o.patient_id)) || char(10, 10), '')
                    FROM patient_merges m JOIN patients o ON o.patient_id = m.patient_id
                    WHERE m.into_id = p.patient_id AND m.undone_at = ''), '')
            FROM patients p WHERE patient_id = NEW.patient_id AND deleted_at = ''
            AND NOT EXISTS (SELECT 1 FROM patient_merges m
                WHERE m.patient_id = p.patient_id AND m.undone_at = '');
    END;
