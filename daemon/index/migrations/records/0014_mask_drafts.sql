    CREATE TABLE mask_drafts (          -- masks that people draw in the browser and have not sent yet
        scan_id TEXT NOT NULL,
        account_id INTEGER NOT NULL REFERENCES accounts,
        revision INTEGER NOT NULL,      -- whose mask it began with
        begun_at TEXT NOT NULL,
        kept_at TEXT NOT NULL,
        mask BLOB NOT NULL,             -- .nii.gz, as the browser packed it
        PRIMARY KEY (scan_id, account_id)
    );
