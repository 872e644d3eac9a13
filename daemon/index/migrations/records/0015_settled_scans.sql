    CREATE TABLE settled_scans (        -- not analyzed, and nothing more is to be done about them
        entry INTEGER PRIMARY KEY,      -- the newest one of a scan's revision counts
        scan_id TEXT NOT NULL,
        revision INTEGER NOT NULL,      -- the one that was not analyzed
        reason TEXT NOT NULL,           -- a short code, '' = taken back
        comment TEXT NOT NULL,
        settled_by TEXT NOT NULL,
        settled_at TEXT NOT NULL
    );
    CREATE INDEX settled_scans_by_scan ON settled_scans (scan_id, revision, entry);
