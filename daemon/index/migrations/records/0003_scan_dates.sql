    CREATE TABLE scan_dates (           -- when a scan was acquired, where its files do not say
        entry INTEGER PRIMARY KEY,      -- the newest one of a scan counts
        scan_id TEXT NOT NULL,
        acquired_on TEXT NOT NULL,      -- ISO 8601; '' = taken back
        entered_by TEXT NOT NULL,
        entered_at TEXT NOT NULL
    );
    CREATE INDEX scan_dates_by_scan ON scan_dates (scan_id, entry);
    CREATE TABLE secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
