-- When the system last saw a file change. 0 = not known: such a file is compared by its hash.
ALTER TABLE files ADD COLUMN ctime_ns INTEGER NOT NULL DEFAULT 0;
