-- When a file that was set aside was deleted, as `daemon.keep_aside_days` asks.
ALTER TABLE files ADD COLUMN removed_at TEXT;
-- Names of transfers that have not gone on for long; time: when the file last changed, Unix ns.
CREATE TABLE stalled (path BLOB PRIMARY KEY, mtime_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX drops_set_aside ON drops (ended_at) WHERE state IN ('duplicate', 'rejected');
