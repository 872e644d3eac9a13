    CREATE TABLE drops (
        drop_id INTEGER PRIMARY KEY AUTOINCREMENT,
        unit BLOB NOT NULL,             -- path below the inbox of the file or folder, as bytes
        patient_id TEXT NOT NULL,
        kind TEXT NOT NULL,             -- nifti, image, dicom, zip, loose
        state TEXT NOT NULL
            CHECK (state IN ('waiting', 'running', 'done', 'duplicate', 'rejected')),
        rested INTEGER NOT NULL DEFAULT 0,
        urgent INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        scan_id TEXT,
        reason TEXT,                    -- one sentence, for a rejected drop
        seen_at TEXT NOT NULL,          -- times are UTC, ISO 8601
        started_at TEXT,
        ended_at TEXT
    );
    CREATE UNIQUE INDEX open_units ON drops (unit) WHERE state IN ('waiting', 'running');
    CREATE INDEX drops_by_state ON drops (state, drop_id);
    CREATE INDEX drops_by_patient ON drops (patient_id, drop_id);

    CREATE TABLE files (
        drop_id INTEGER NOT NULL REFERENCES drops (drop_id) ON DELETE CASCADE,
        path BLOB NOT NULL,             -- below the inbox, as bytes: names need not be UTF-8
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        sha256 TEXT,
        in_inbox INTEGER NOT NULL DEFAULT 1,
        PRIMARY KEY (drop_id, path)
    ) WITHOUT ROWID;
    CREATE INDEX files_in_inbox ON files (drop_id) WHERE in_inbox;

    CREATE TABLE scans (
        scan_id TEXT NOT NULL,
        revision INTEGER NOT NULL,
        patient_id TEXT NOT NULL,
        folder BLOB NOT NULL,           -- below the outbox, as bytes
        content_sha256 TEXT NOT NULL,   -- of the image files without the patient
        finding TEXT NOT NULL,
        volume_ml REAL,
        acquired_at TEXT,
        published_at TEXT NOT NULL,
        report TEXT NOT NULL,           -- the whole report, JSON
        PRIMARY KEY (scan_id, revision)
    ) WITHOUT ROWID;
    CREATE INDEX scans_by_patient ON scans (patient_id, acquired_at);
    CREATE INDEX scans_by_content ON scans (content_sha256);
