"""The index's shape as a list of steps, and each is only ever added at the end."""

from daemon.index.migrations.patient_scans import PATIENT_SCANS
from daemon.index.migrations.worklist_brief import WORKLIST_BRIEF
from daemon.index.migrations.worklist_shape import WORKLIST

INDEX: tuple[str, ...] = (
    """
    CREATE TABLE drops (
        drop_id INTEGER PRIMARY KEY AUTOINCREMENT,
        unit BLOB NOT NULL,             -- path below the inbox of the file or folder, as bytes
        patient_id TEXT NOT NULL,
        kind TEXT NOT NULL,             -- nifti, image, dicom, zip, loose
        state TEXT NOT NULL
            CHECK (state IN ('waiting', 'running', 'done', 'duplicate', 'rejected')),
        rested INTEGER NOT NULL DEFAULT 0,
        urgent INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        scan_id TEXT,
        reason TEXT,                    -- one sentence, for a rejected drop
        seen_at TEXT NOT NULL,          -- times are UTC, ISO 8601
        started_at TEXT,
        ended_at TEXT
    );
    CREATE UNIQUE INDEX open_units ON drops (unit) WHERE state IN ('waiting', 'running');
    CREATE INDEX drops_by_state ON drops (state, drop_id);
    CREATE INDEX drops_by_patient ON drops (patient_id, drop_id);

    CREATE TABLE files (
        drop_id INTEGER NOT NULL REFERENCES drops (drop_id) ON DELETE CASCADE,
        path BLOB NOT NULL,             -- below the inbox, as bytes: names need not be UTF-8
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        sha256 TEXT,
        in_inbox INTEGER NOT NULL DEFAULT 1,
        PRIMARY KEY (drop_id, path)
    ) WITHOUT ROWID;
    CREATE INDEX files_in_inbox ON files (drop_id) WHERE in_inbox;

    CREATE TABLE scans (
        scan_id TEXT NOT NULL,
        revision INTEGER NOT NULL,
        patient_id TEXT NOT NULL,
        folder BLOB NOT NULL,           -- below the outbox, as bytes
        content_sha256 TEXT NOT NULL,   -- of the image files without the patient
        finding TEXT NOT NULL,
        volume_ml REAL,
        acquired_at TEXT,
        published_at TEXT NOT NULL,
        report TEXT NOT NULL,           -- the whole report, JSON
        PRIMARY KEY (scan_id, revision)
    ) WITHOUT ROWID;
    CREATE INDEX scans_by_patient ON scans (patient_id, acquired_at);
    CREATE INDEX scans_by_content ON scans (content_sha256);
    """,
    """
    CREATE TABLE identities (
        dicom_id TEXT NOT NULL,         -- PatientID as the DICOM files say it
        patient_id TEXT NOT NULL,       -- the folder under which they came
        PRIMARY KEY (dicom_id, patient_id)
    ) WITHOUT ROWID;
    CREATE INDEX identities_by_patient ON identities (patient_id);
    """,
    """
    ALTER TABLE scans ADD COLUMN study_uid TEXT;                    -- StudyInstanceUID
    ALTER TABLE scans ADD COLUMN accession TEXT NOT NULL DEFAULT '';
    ALTER TABLE scans ADD COLUMN study_date TEXT NOT NULL DEFAULT '';   -- ISO 8601, or ''
    CREATE INDEX scans_by_study ON scans (patient_id, study_uid) WHERE study_uid IS NOT NULL;
    CREATE INDEX files_by_path ON files (path) WHERE in_inbox;
    """,
    """
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
    """,
    """
    CREATE TABLE heartbeats (
        name TEXT PRIMARY KEY,          -- of what the daemon does again and again
        at REAL NOT NULL                -- when it did it last, in seconds since 1970
    );
    """,
    """
    CREATE TABLE totals (
        finding TEXT PRIMARY KEY,
        scans INTEGER NOT NULL,         -- published, each revision counted
        read_seconds REAL NOT NULL,     -- sums over these scans
        segment_seconds REAL NOT NULL,
        write_seconds REAL NOT NULL
    );
    INSERT INTO totals SELECT finding, count(*),
        total(json_extract(report, '$.seconds.read')),
        total(json_extract(report, '$.seconds.segment')),
        total(json_extract(report, '$.seconds.write'))
    FROM scans GROUP BY finding;
    """,
    """
    CREATE INDEX drops_in_line ON drops (urgent DESC, arrived_ns DESC, drop_id)
        WHERE state = 'waiting' AND rested;
    """,
    """
    ALTER TABLE scans ADD COLUMN removed_at TEXT;   -- when retention took the files away
    CREATE INDEX scans_by_age ON scans (published_at, scan_id) WHERE removed_at IS NULL;
    """,
    """
    CREATE INDEX scans_by_month ON scans (substr(published_at, 1, 7))
        WHERE revision = 1 AND finding != 'not_judged';
    """,
    """
    CREATE TABLE hidden_patients (      -- deleted by a person: the records said so first
        patient_id TEXT PRIMARY KEY
    ) WITHOUT ROWID;
    CREATE TABLE given_scans (          -- what people gave to a patient, as the records say
        scan_id TEXT NOT NULL,          -- of the scan in `unassigned`
        patient_id TEXT NOT NULL,
        target TEXT NOT NULL,           -- scan_id of the same content under the patient
        is_given INTEGER NOT NULL,      -- 0: taken back
        is_hidden INTEGER NOT NULL,     -- 1: the target is there by that mistake alone
        PRIMARY KEY (scan_id, patient_id)
    ) WITHOUT ROWID;
    CREATE INDEX given_targets ON given_scans (target);
    CREATE VIEW standing_scans AS SELECT * FROM scans WHERE NOT EXISTS
        (SELECT 1 FROM given_scans g WHERE g.target = scans.scan_id AND g.is_hidden);
    CREATE VIEW shown_scans AS SELECT * FROM standing_scans s WHERE NOT EXISTS
        (SELECT 1 FROM hidden_patients h WHERE h.patient_id = s.patient_id) AND NOT EXISTS
        (SELECT 1 FROM given_scans g JOIN scans t ON t.scan_id = g.target
            WHERE g.scan_id = s.scan_id AND g.is_given);
    """,
    """
    ALTER TABLE drops ADD COLUMN touched REAL NOT NULL DEFAULT 0;   -- Unix seconds: last change
    ALTER TABLE drops ADD COLUMN rested_at TEXT;                    -- when it was at rest
    ALTER TABLE drops ADD COLUMN at_once INTEGER NOT NULL DEFAULT 0;  -- a wish: rest no longer
    CREATE INDEX drops_by_seen ON drops (seen_at);
    CREATE INDEX drops_by_end ON drops (ended_at) WHERE ended_at IS NOT NULL;
    CREATE INDEX scans_by_weights
        ON scans (json_extract(report, '$.model.weights_sha256'), scan_id, revision);
    """,
    WORKLIST,
    PATIENT_SCANS,
    WORKLIST_BRIEF,
)
