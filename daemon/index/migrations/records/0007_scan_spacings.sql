    CREATE TABLE scan_spacings (        -- how large pixels are, where the file does not say
        entry INTEGER PRIMARY KEY,      -- the newest one of a scan counts
        scan_id TEXT NOT NULL,
        across_mm REAL,                 -- NULL = taken back
        down_mm REAL,
        between_mm REAL,                -- between slices; NULL for a single picture
        entered_by TEXT NOT NULL,
        entered_at TEXT NOT NULL
    );
    CREATE INDEX scan_spacings_by_scan ON scan_spacings (scan_id, entry);
