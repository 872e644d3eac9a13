    ALTER TABLE scans ADD COLUMN removed_at TEXT;   -- when retention took the files away
    CREATE INDEX scans_by_age ON scans (published_at, scan_id) WHERE removed_at IS NULL;
