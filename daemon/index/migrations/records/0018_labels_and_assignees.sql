    CREATE TABLE labels (
        label_id INTEGER PRIMARY KEY,   -- stands in addresses; the name does not
        name TEXT NOT NULL UNIQUE COLLATE NOCASE,
        made_by TEXT NOT NULL,
        made_at TEXT NOT NULL
    );
    CREATE TABLE scan_labels (
        entry INTEGER PRIMARY KEY,
        scan_id TEXT NOT NULL,
        label_id INTEGER NOT NULL REFERENCES labels,
        put_by TEXT NOT NULL,
        put_at TEXT NOT NULL,
        removed_by TEXT NOT NULL DEFAULT '',
        removed_at TEXT NOT NULL DEFAULT ''
    );
    CREATE UNIQUE INDEX scans_of_label ON scan_labels (label_id, scan_id) WHERE removed_at = '';
    CREATE INDEX labels_of_scan ON scan_labels (scan_id, label_id) WHERE removed_at = '';
    CREATE TABLE scan_assignees (       -- who is to look at a scan
        entry INTEGER PRIMARY KEY,
        scan_id TEXT NOT NULL,
        account_id INTEGER NOT NULL REFERENCES accounts,
        set_by TEXT NOT NULL,
        set_at TEXT NOT NULL,
        ended_by TEXT NOT NULL DEFAULT '',
        ended_at TEXT NOT NULL DEFAULT ''
    );
    CREATE UNIQUE INDEX assignee_of_scan ON scan_assignees (scan_id) WHERE ended_at = '';
    CREATE INDEX scans_of_assignee ON scan_assignees (account_id, scan_id) WHERE ended_at = '';
    CREATE TABLE list_layouts (         -- how an account sees the worklist; none = as shipped
        account_id INTEGER PRIMARY KEY REFERENCES accounts,
        columns TEXT NOT NULL,          -- JSON: names, in their order
        sort TEXT NOT NULL,             -- the order of rows, '' = as shipped
        direction TEXT NOT NULL,
        set_at TEXT NOT NULL
    );
