CREATE TABLE audit_journal (        -- of what is being done elsewhere; becomes entries of audit
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,               -- when it was begun
    account TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);
