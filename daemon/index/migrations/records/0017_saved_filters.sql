    CREATE TABLE saved_filters (        -- of the worklist
        filter_id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        query TEXT NOT NULL,            -- of the list's address; no words of a search are in it
        is_shared INTEGER NOT NULL,     -- whether every account is shown it
        saved_at TEXT NOT NULL,
        removed_at TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX saved_filters_that_stand ON saved_filters (account, name) WHERE removed_at = '';
