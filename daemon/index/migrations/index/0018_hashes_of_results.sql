CREATE TABLE result_files (
    folder BLOB PRIMARY KEY,        -- below the outbox
    files TEXT NOT NULL,            -- JSON: size, time (ns) and SHA-256 of each file by its name
    is_late INTEGER NOT NULL DEFAULT 0,     -- 1: hashed by the first `verify --full`
    checked_at TEXT NOT NULL DEFAULT ''     -- when they were last read whole
) WITHOUT ROWID;
