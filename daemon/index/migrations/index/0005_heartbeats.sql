    CREATE TABLE heartbeats (
        name TEXT PRIMARY KEY,          -- of what the daemon does again and again
        at REAL NOT NULL                -- when it did it last, in seconds since 1970
    );
