    ALTER TABLE drops ADD COLUMN owner TEXT;                        -- the daemon that runs it
    ALTER TABLE drops ADD COLUMN token INTEGER NOT NULL DEFAULT 0;  -- grows with every claim
    ALTER TABLE drops ADD COLUMN lease_until REAL;                  -- Unix seconds
    ALTER TABLE drops ADD COLUMN not_before REAL NOT NULL DEFAULT 0;  -- Unix seconds: a retry
    ALTER TABLE drops ADD COLUMN arrived_ns INTEGER NOT NULL DEFAULT 0;  -- newest file's time
    ALTER TABLE drops ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;  -- asked while it runs
    ALTER TABLE files ADD COLUMN aside BLOB;    -- below the inbox: where one set aside lies now
    CREATE TABLE switches (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE moves (
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        PRIMARY KEY (before, after)
    ) WITHOUT ROWID;
    INSERT INTO moves VALUES
        ('waiting', 'running'), ('waiting', 'rejected'), ('running', 'waiting'),
        ('running', 'done'), ('running', 'duplicate'), ('running', 'rejected');
    CREATE TRIGGER only_allowed_moves BEFORE UPDATE OF state ON drops
        WHEN NOT EXISTS (SELECT 1 FROM moves WHERE before = OLD.state AND after = NEW.state)
        BEGIN SELECT RAISE(ABORT, 'a drop cannot move so'); END;
    CREATE INDEX scans_without_drop ON drops (scan_id) WHERE scan_id IS NOT NULL;
