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
