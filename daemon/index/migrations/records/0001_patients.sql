    CREATE TABLE patients (
        patient_key TEXT PRIMARY KEY,   -- random: the only name of a patient that a URL may show
        patient_id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL DEFAULT '',
        birth_date TEXT NOT NULL DEFAULT '',        -- ISO 8601, or ''
        gender TEXT NOT NULL DEFAULT '',
        phone TEXT NOT NULL DEFAULT '',
        address TEXT NOT NULL DEFAULT '',
        emergency_contact TEXT NOT NULL DEFAULT '',
        insurance TEXT NOT NULL DEFAULT '',
        doctor TEXT NOT NULL DEFAULT '',
        family_history TEXT NOT NULL DEFAULT '',
        symptoms TEXT NOT NULL DEFAULT '',
        previous_conditions TEXT NOT NULL DEFAULT '',
        medications TEXT NOT NULL DEFAULT '',
        biopsy TEXT NOT NULL DEFAULT '',
        histology TEXT NOT NULL DEFAULT '',
        diagnosis_date TEXT NOT NULL DEFAULT '',
        treatment_type TEXT NOT NULL DEFAULT '',
        treatment_start TEXT NOT NULL DEFAULT '',
        treatment_response TEXT NOT NULL DEFAULT '',
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    );
