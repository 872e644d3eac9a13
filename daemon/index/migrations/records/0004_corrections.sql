    ALTER TABLE reviews ADD COLUMN reason TEXT NOT NULL DEFAULT '';     -- of a rejected mask
    ALTER TABLE reviews ADD COLUMN drawn_by TEXT NOT NULL DEFAULT '';   -- see Review.drawn_by
    CREATE TABLE corrections (
        correction_key TEXT PRIMARY KEY,    -- random
        scan_id TEXT NOT NULL,
        seen_revision INTEGER NOT NULL,     -- whose mask was seen when it was sent
        file TEXT NOT NULL,                 -- its name below outbox/.corrections/<scan_id>
        sha256 TEXT NOT NULL,
        says_empty INTEGER NOT NULL,        -- the person said that there is no tumor
        comment TEXT NOT NULL,
        corrected_by TEXT NOT NULL,
        at TEXT NOT NULL,
        refused TEXT,                       -- one sentence, if it could not be taken
        revision INTEGER,                   -- what it became
        model_revision INTEGER,             -- the network's mask that it is compared with
        weights_sha256 TEXT,
        dice REAL,
        model_ml REAL,
        corrected_ml REAL
    );
    CREATE INDEX corrections_by_scan ON corrections (scan_id, at);
    CREATE INDEX corrections_by_model_mask ON corrections (scan_id, model_revision);
