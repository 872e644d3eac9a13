    CREATE TABLE measurements (         -- what people measured on a scan's voxels; what was removed stays
        measurement_id INTEGER PRIMARY KEY,
        scan_id TEXT NOT NULL,
        revision INTEGER NOT NULL,      -- the one that was shown
        grid TEXT NOT NULL,             -- by it revisions with the same voxels are known
        shape TEXT NOT NULL,
        points TEXT NOT NULL,           -- JSON: voxel indices along i, j, k
        figures TEXT NOT NULL,          -- JSON: what was measured then
        account_id INTEGER NOT NULL REFERENCES accounts,
        measured_by TEXT NOT NULL,
        measured_at TEXT NOT NULL,
        removed_by TEXT NOT NULL DEFAULT '',
        removed_at TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX measurements_by_scan ON measurements (scan_id, measurement_id);
    CREATE TABLE measurement_documents (    -- a person's measurements that are to be left as a DICOM SR
        document_id INTEGER PRIMARY KEY,
        scan_id TEXT NOT NULL,
        revision INTEGER NOT NULL,
        account_id INTEGER NOT NULL REFERENCES accounts,
        asked_by TEXT NOT NULL,
        asked_at TEXT NOT NULL,
        measurements TEXT NOT NULL      -- JSON: their numbers
    );
    CREATE INDEX measurement_documents_by_scan ON measurement_documents (scan_id, document_id);
