    CREATE TABLE notices (              -- what somebody is to be told; nothing of a patient
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        receiver TEXT NOT NULL,         -- its name in the settings
        key TEXT NOT NULL,              -- of what it tells, which is never told twice
        event TEXT NOT NULL,
        kinds TEXT NOT NULL,            -- what the scan is, for rules: words with spaces between
        scan_id TEXT NOT NULL,          -- '' = no scan
        at TEXT NOT NULL,               -- when it happened, UTC, ISO 8601
        entered REAL NOT NULL,          -- seconds since 1970, UTC
        at_once INTEGER NOT NULL,       -- 1: it waits for no others
        counts TEXT NOT NULL,           -- of a summary: JSON; else ''
        UNIQUE (receiver, key)
    );

    CREATE INDEX notices_in_line ON notices (receiver, number);

    CREATE TABLE notify_targets (       -- an address of a receiver; '' for a webhook
        receiver TEXT NOT NULL,
        address TEXT NOT NULL,
        told INTEGER NOT NULL,          -- notices up to this number are in messages, or not for it
        PRIMARY KEY (receiver, address)
    ) WITHOUT ROWID;

    CREATE TABLE notify_messages (
        message_id TEXT PRIMARY KEY,    -- random
        receiver TEXT NOT NULL,
        address TEXT NOT NULL,
        first INTEGER NOT NULL,         -- number of its first notice, and of its last
        last INTEGER NOT NULL,
        state TEXT NOT NULL
            CHECK (state IN ('waiting', 'handed', 'sent', 'given_up', 'unclear')),
        tries INTEGER NOT NULL DEFAULT 0,
        next_try REAL NOT NULL DEFAULT 0,   -- seconds since 1970, UTC
        code TEXT NOT NULL DEFAULT '',      -- of the last answer
        reason TEXT NOT NULL DEFAULT '',    -- and the key of its sentence
        made REAL NOT NULL,                 -- seconds since 1970, UTC
        ended_at TEXT
    );

    CREATE INDEX notify_messages_in_line ON notify_messages (receiver, address, made);
