CREATE TABLE sent_objects (         -- what goes to archives, derived from results and journals
    number INTEGER PRIMARY KEY,     -- the order in which they go
    destination TEXT NOT NULL,      -- its name in the settings
    sha256 TEXT NOT NULL,           -- of the bytes, which never go twice to one destination
    scan_id TEXT NOT NULL,
    revision INTEGER NOT NULL,      -- 0 = made after the result, beside it
    kind TEXT NOT NULL,             -- seg, sr, sc, pdf or ko
    path BLOB NOT NULL,             -- below the outbox; empty = known from the journal alone
    state TEXT NOT NULL CHECK (state IN ('waiting', 'failed', 'sent', 'given_up')),
    tries INTEGER NOT NULL DEFAULT 0,  -- that count: those while the destination answered
    next_try REAL NOT NULL DEFAULT 0,  -- seconds since 1970, UTC
    code TEXT NOT NULL DEFAULT '',     -- the last answer: a DICOM status, or one of HTTP
    reason TEXT NOT NULL DEFAULT '',   -- and the key of its sentence
    wanted_at TEXT NOT NULL,
    ended_at TEXT,                  -- when it was sent, or given up
    UNIQUE (destination, sha256)
);

CREATE INDEX sent_objects_due ON sent_objects (destination, number)
    WHERE state IN ('waiting', 'failed');

CREATE INDEX sent_objects_of_scan ON sent_objects (scan_id, number);

CREATE TABLE sent_results (         -- folders whose objects are all in sent_objects
    destination TEXT NOT NULL,
    folder BLOB NOT NULL,
    PRIMARY KEY (destination, folder)
) WITHOUT ROWID;

CREATE TABLE sent_destinations (
    destination TEXT PRIMARY KEY,
    journal_bytes INTEGER NOT NULL DEFAULT 0,  -- of its journal that were entered
    code TEXT NOT NULL DEFAULT '',             -- why it cannot be reached now
    reason TEXT NOT NULL DEFAULT '',           -- key of the sentence; '' = it can
    noted_at TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

CREATE TABLE sent_wishes (          -- of people; the sender takes them away
    number INTEGER PRIMARY KEY,
    scan_id TEXT NOT NULL,          -- '' = all that waits, now
    wished_at TEXT NOT NULL
);
