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
