    CREATE TABLE analysis_wishes (      -- scans that a person wants analyzed whatever they look like
        entry INTEGER PRIMARY KEY,      -- the newest one of a scan counts
        scan_id TEXT NOT NULL,
        is_wanted INTEGER NOT NULL,     -- 0 = taken back
        wished_by TEXT NOT NULL,
        wished_at TEXT NOT NULL
    );
    CREATE INDEX analysis_wishes_by_scan ON analysis_wishes (scan_id, entry);
