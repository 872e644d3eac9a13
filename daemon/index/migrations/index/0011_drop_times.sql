    ALTER TABLE drops ADD COLUMN touched REAL NOT NULL DEFAULT 0;   -- Unix seconds: last change
    ALTER TABLE drops ADD COLUMN rested_at TEXT;                    -- when it was at rest
    ALTER TABLE drops ADD COLUMN at_once INTEGER NOT NULL DEFAULT 0;  -- a wish: rest no longer
    CREATE INDEX drops_by_seen ON drops (seen_at);
    CREATE INDEX drops_by_end ON drops (ended_at) WHERE ended_at IS NOT NULL;
    CREATE INDEX scans_by_weights
        ON scans (json_extract(report, '$.model.weights_sha256'), scan_id, revision);
