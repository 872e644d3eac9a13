"""The records' shape as a list of steps, and each is only ever added at the end."""

from daemon.index.migrations.patient_search_shape import SEARCH, SHORT_WORDS

RECORDS: tuple[str, ...] = (
    """
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
    """,
    """
    CREATE TABLE reviews (
        review_id INTEGER PRIMARY KEY,
        scan_id TEXT NOT NULL,
        revision INTEGER NOT NULL,
        decision TEXT NOT NULL CHECK (decision IN ('accepted', 'rejected', 'needs_correction')),
        comment TEXT NOT NULL,
        reviewer TEXT NOT NULL,
        at TEXT NOT NULL
    );
    CREATE INDEX reviews_by_scan ON reviews (scan_id, revision, review_id);
    """,
    """
    CREATE TABLE scan_dates (           -- when a scan was acquired, where its files do not say
        entry INTEGER PRIMARY KEY,      -- the newest one of a scan counts
        scan_id TEXT NOT NULL,
        acquired_on TEXT NOT NULL,      -- ISO 8601; '' = taken back
        entered_by TEXT NOT NULL,
        entered_at TEXT NOT NULL
    );
    CREATE INDEX scan_dates_by_scan ON scan_dates (scan_id, entry);
    CREATE TABLE secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
    """
    ALTER TABLE reviews ADD COLUMN reason TEXT NOT NULL DEFAULT '';     -- of a rejected mask
    ALTER TABLE reviews ADD COLUMN drawn_by TEXT NOT NULL DEFAULT '';   -- see Review.drawn_by
    CREATE TABLE corrections (
        correction_key TEXT PRIMARY KEY,    -- random
        scan_id TEXT NOT NULL,
        seen_revision INTEGER NOT NULL,     -- whose mask was seen when it was sent
        file TEXT NOT NULL,                 -- its name below outbox/.corrections/<scan_id>
        sha256 TEXT NOT NULL,
        says_empty INTEGER NOT NULL,        -- the person said that there is no tumor
        comment TEXT NOT NULL,
        corrected_by TEXT NOT NULL,
        at TEXT NOT NULL,
        refused TEXT,                       -- one sentence, if it could not be taken
        revision INTEGER,                   -- what it became
        model_revision INTEGER,             -- the network's mask that it is compared with
        weights_sha256 TEXT,
        dice REAL,
        model_ml REAL,
        corrected_ml REAL
    );
    CREATE INDEX corrections_by_scan ON corrections (scan_id, at);
    CREATE INDEX corrections_by_model_mask ON corrections (scan_id, model_revision);
    """,
    """
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
    """,
    """
    CREATE UNIQUE INDEX patients_in_order ON patients (name, patient_id);
    """,
    """
    CREATE TABLE scan_spacings (        -- how large pixels are, where the file does not say
        entry INTEGER PRIMARY KEY,      -- the newest one of a scan counts
        scan_id TEXT NOT NULL,
        across_mm REAL,                 -- NULL = taken back
        down_mm REAL,
        between_mm REAL,                -- between slices; NULL for a single picture
        entered_by TEXT NOT NULL,
        entered_at TEXT NOT NULL
    );
    CREATE INDEX scan_spacings_by_scan ON scan_spacings (scan_id, entry);
    """,
    """
    CREATE TABLE accounts (
        account_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE COLLATE NOCASE,
        full_name TEXT NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('reader', 'uploader', 'reviewer', 'admin')),
        password_hash TEXT NOT NULL,    -- argon2id, '' = none: only a link lets in
        enabled INTEGER NOT NULL DEFAULT 1,
        created_at TEXT NOT NULL
    );
    CREATE TABLE login_sessions (
        key_hash TEXT PRIMARY KEY,      -- SHA-256 of the key in the cookie
        account_id INTEGER NOT NULL REFERENCES accounts,
        csrf TEXT NOT NULL,
        began REAL NOT NULL,            -- Unix seconds
        seen REAL NOT NULL              -- the last thing that a person did
    );
    CREATE INDEX login_sessions_by_account ON login_sessions (account_id, began);
    CREATE TABLE login_links (
        key_hash TEXT PRIMARY KEY,
        account_id INTEGER NOT NULL REFERENCES accounts,
        ends_at REAL NOT NULL
    );
    CREATE TABLE login_failures (
        subject TEXT NOT NULL,          -- an account's name or an address
        at REAL NOT NULL
    );
    CREATE INDEX login_failures_by_subject ON login_failures (subject, at);
    CREATE TABLE api_tokens (
        token_id INTEGER PRIMARY KEY,
        token_hash TEXT NOT NULL UNIQUE,
        account_id INTEGER NOT NULL REFERENCES accounts,
        label TEXT NOT NULL,
        role TEXT NOT NULL,
        ends_on TEXT NOT NULL,          -- ISO 8601
        created_at TEXT NOT NULL,
        revoked_at TEXT
    );
    CREATE TABLE audit (
        number INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        account TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,          -- an opaque id or a kind of page
        detail TEXT NOT NULL,
        hash TEXT NOT NULL              -- over the hash before and this entry's fields
    );
    CREATE INDEX audit_by_account ON audit (account, number);
    CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
    CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
    """,
    SEARCH,
    SHORT_WORDS,
)
