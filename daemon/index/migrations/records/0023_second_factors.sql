    CREATE TABLE second_factors (       -- of accounts of ours: codes of a phone, by RFC 6238
        account_id INTEGER PRIMARY KEY REFERENCES accounts,
        secret TEXT NOT NULL,           -- Base32: it has to be known to make the code
        is_on INTEGER NOT NULL,         -- 0 = was shown, and no code has proven yet that a phone has it
        last_step INTEGER NOT NULL      -- of the newest code that was taken: none counts twice
    );
    CREATE TABLE recovery_codes (       -- each in place of the phone, once
        code_hash TEXT PRIMARY KEY,     -- SHA-256: they are random
        account_id INTEGER NOT NULL REFERENCES accounts
    );
    CREATE TABLE login_steps (          -- who knew the password, or had a link, and owes a code yet
        key_hash TEXT PRIMARY KEY,
        account_id INTEGER NOT NULL REFERENCES accounts,
        checked TEXT NOT NULL,          -- the password's hash by then
        how TEXT NOT NULL,              -- for the audit
        ends_at REAL NOT NULL
    );
