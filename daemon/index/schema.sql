-- Both databases as they are today, for people to read: nothing runs this file.
-- Made from the steps in `migrations/` by `python -m tools.schemas`; a test compares it.


-- The index

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
    ended_at TEXT,
    owner TEXT,
    token INTEGER NOT NULL DEFAULT 0,
    lease_until REAL,
    not_before REAL NOT NULL DEFAULT 0,
    arrived_ns INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    touched REAL NOT NULL DEFAULT 0,
    rested_at TEXT,
    at_once INTEGER NOT NULL DEFAULT 0);

CREATE UNIQUE INDEX open_units ON drops (unit) WHERE state IN ('waiting', 'running');

CREATE INDEX drops_by_state ON drops (state, drop_id);

CREATE INDEX drops_by_patient ON drops (patient_id, drop_id);

CREATE TRIGGER only_allowed_moves BEFORE UPDATE OF state ON drops
    WHEN NOT EXISTS (SELECT 1 FROM moves WHERE before = OLD.state AND after = NEW.state)
    BEGIN SELECT RAISE(ABORT, 'a drop cannot move so'); END;

CREATE INDEX scans_without_drop ON drops (scan_id) WHERE scan_id IS NOT NULL;

CREATE INDEX drops_in_line ON drops (urgent DESC, arrived_ns DESC, drop_id)
    WHERE state = 'waiting' AND rested;

CREATE INDEX drops_by_seen ON drops (seen_at);

CREATE INDEX drops_by_end ON drops (ended_at) WHERE ended_at IS NOT NULL;

CREATE TRIGGER drop_lists AFTER INSERT ON drops BEGIN
    INSERT INTO worklist (drop_id, patient_id, arrived_at, stage)
        SELECT drop_id, patient_id, seen_at, stage FROM drop_stages
        WHERE drop_id = NEW.drop_id;
END;

CREATE TRIGGER drop_is_done_at_once AFTER INSERT ON drops
    WHEN NEW.state = 'done' AND NEW.kind NOT IN ('again', 'compare', 'correct') BEGIN
    UPDATE worklist SET drop_id = NEW.drop_id, arrived_at = NEW.seen_at
        WHERE scan_id = NEW.scan_id;
END;

CREATE TRIGGER drop_moves AFTER UPDATE OF state, rested ON drops
    WHEN NEW.state != 'done' AND NEW.kind NOT IN ('again', 'compare', 'correct') BEGIN
    UPDATE worklist SET stage =
            (SELECT stage FROM drop_stages WHERE drop_id = NEW.drop_id)
        WHERE drop_id = NEW.drop_id AND stage != 'done';
    INSERT INTO worklist (drop_id, patient_id, arrived_at, stage)
        SELECT drop_id, patient_id, seen_at, stage FROM drop_stages
        WHERE drop_id = NEW.drop_id
        AND NOT EXISTS (SELECT 1 FROM worklist WHERE drop_id = NEW.drop_id);
END;

CREATE TRIGGER drop_is_done AFTER UPDATE OF state ON drops
    WHEN NEW.state = 'done' AND NEW.kind NOT IN ('again', 'compare', 'correct') BEGIN
    UPDATE worklist SET joins = (SELECT row_id FROM worklist WHERE drop_id = NEW.drop_id)
        WHERE scan_id = NEW.scan_id;
    DELETE FROM worklist WHERE drop_id = NEW.drop_id AND scan_id IS NULL;
    UPDATE worklist SET row_id = min(row_id, coalesce(joins, row_id)), joins = NULL,
            drop_id = NEW.drop_id, arrived_at = NEW.seen_at
        WHERE scan_id = NEW.scan_id;
END;

CREATE TRIGGER again_fails AFTER UPDATE OF state ON drops
    WHEN NEW.state = 'rejected' AND OLD.state = 'running' AND NOT NEW.cancelled
        AND NEW.kind IN ('again', 'compare', 'correct') BEGIN
    UPDATE worklist SET trouble = NEW.reason WHERE scan_id = OLD.scan_id;
END;

CREATE TRIGGER drop_unlists AFTER DELETE ON drops BEGIN
    DELETE FROM worklist WHERE drop_id = OLD.drop_id AND scan_id IS NULL;
END;

CREATE INDEX drops_again ON drops (scan_id)
    WHERE kind = 'again' AND state IN ('waiting', 'running');

CREATE INDEX drops_set_aside ON drops (ended_at) WHERE state IN ('duplicate', 'rejected');

CREATE TABLE files (
    drop_id INTEGER NOT NULL REFERENCES drops (drop_id) ON DELETE CASCADE,
    path BLOB NOT NULL,             -- below the inbox, as bytes: names need not be UTF-8
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    sha256 TEXT,
    in_inbox INTEGER NOT NULL DEFAULT 1,
    aside BLOB,
    ctime_ns INTEGER NOT NULL DEFAULT 0,
    removed_at TEXT,
    PRIMARY KEY (drop_id, path)
) WITHOUT ROWID;

CREATE INDEX files_in_inbox ON files (drop_id) WHERE in_inbox;

CREATE INDEX files_by_path ON files (path) WHERE in_inbox;

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
    report TEXT NOT NULL, -- the whole report, JSON
    study_uid TEXT,
    accession TEXT NOT NULL DEFAULT '',
    study_date TEXT NOT NULL DEFAULT '',
    removed_at TEXT,
    scanner TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (scan_id, revision)
) WITHOUT ROWID;

CREATE INDEX scans_by_study ON scans (patient_id, study_uid) WHERE study_uid IS NOT NULL;

CREATE INDEX scans_by_age ON scans (published_at, scan_id) WHERE removed_at IS NULL;

CREATE INDEX scans_by_month ON scans (substr(published_at, 1, 7))
    WHERE revision = 1 AND finding != 'not_judged';

CREATE INDEX scans_by_weights
    ON scans (json_extract(report, '$.model.weights_sha256'), scan_id, revision);

CREATE TRIGGER scan_lists AFTER INSERT ON scans BEGIN
    INSERT INTO worklist (scan_id, patient_id, arrived_at, stage)
        SELECT NEW.scan_id, NEW.patient_id, NEW.published_at, 'done'
        WHERE NOT EXISTS (SELECT 1 FROM worklist WHERE scan_id = NEW.scan_id);
    INSERT INTO scans_to_list VALUES (NEW.scan_id);
END;

CREATE TRIGGER scan_unlists AFTER DELETE ON scans BEGIN
    DELETE FROM worklist WHERE scan_id = OLD.scan_id
        AND NOT EXISTS (SELECT 1 FROM scans WHERE scan_id = OLD.scan_id);
    INSERT INTO scans_to_list VALUES (OLD.scan_id);
END;

CREATE INDEX scans_in_counts ON scans (patient_id, acquired_at, published_at, scan_id);

CREATE TRIGGER scan_counts AFTER INSERT ON scans WHEN NEW.patient_id != 'unassigned' BEGIN
    INSERT INTO patients_to_count VALUES (NEW.patient_id);
END;

CREATE TRIGGER scan_recounts AFTER UPDATE OF patient_id, acquired_at, published_at ON scans
    BEGIN
    INSERT INTO patients_to_count VALUES (OLD.patient_id);
    INSERT INTO patients_to_count VALUES (NEW.patient_id);
END;

CREATE TRIGGER scan_uncounts AFTER DELETE ON scans WHEN OLD.patient_id != 'unassigned' BEGIN
    INSERT INTO patients_to_count VALUES (OLD.patient_id);
END;

CREATE INDEX scans_by_content ON scans (content_sha256, patient_id);

CREATE TRIGGER files_are_taken_away AFTER UPDATE OF removed_at ON scans BEGIN
    UPDATE worklist SET trouble = trouble   -- in name only, so that its mark grows
        WHERE scan_id = NEW.scan_id AND revision = NEW.revision;
END;

CREATE TRIGGER scan_figures_come AFTER INSERT ON scans BEGIN
INSERT INTO scans_to_figure VALUES (NEW.scan_id);
END;

CREATE TRIGGER scan_figures_go AFTER DELETE ON scans BEGIN
INSERT INTO scans_to_figure VALUES (OLD.scan_id);
END;

CREATE TABLE identities (
    dicom_id TEXT NOT NULL,         -- PatientID as the DICOM files say it
    patient_id TEXT NOT NULL,       -- the folder under which they came
    PRIMARY KEY (dicom_id, patient_id)
) WITHOUT ROWID;

CREATE INDEX identities_by_patient ON identities (patient_id);

CREATE TABLE switches (name TEXT PRIMARY KEY,
    value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE moves (
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    PRIMARY KEY (before, after)
) WITHOUT ROWID;

CREATE TABLE heartbeats (
    name TEXT PRIMARY KEY,          -- of what the daemon does again and again
    at REAL NOT NULL                -- when it did it last, in seconds since 1970
);

CREATE TABLE totals (
    finding TEXT PRIMARY KEY,
    scans INTEGER NOT NULL,         -- published, each revision counted
    read_seconds REAL NOT NULL,     -- sums over these scans
    segment_seconds REAL NOT NULL,
    write_seconds REAL NOT NULL
);

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

CREATE TRIGGER given_counts AFTER INSERT ON given_scans BEGIN
    INSERT INTO patients_to_count VALUES (NEW.patient_id);
END;

CREATE TRIGGER given_recounts AFTER UPDATE ON given_scans BEGIN
    INSERT INTO patients_to_count VALUES (OLD.patient_id);
    INSERT INTO patients_to_count VALUES (NEW.patient_id);
END;

CREATE TRIGGER given_uncounts AFTER DELETE ON given_scans BEGIN
    INSERT INTO patients_to_count VALUES (OLD.patient_id);
END;

CREATE TRIGGER given_figures_come AFTER INSERT ON given_scans BEGIN
INSERT INTO scans_to_figure VALUES (NEW.scan_id), (NEW.target);
END;

CREATE TRIGGER given_figures_change AFTER UPDATE ON given_scans BEGIN
INSERT INTO scans_to_figure VALUES (NEW.scan_id), (NEW.target);
END;

CREATE VIEW standing_scans AS SELECT * FROM scans WHERE NOT EXISTS
    (SELECT 1 FROM given_scans g WHERE g.target = scans.scan_id AND g.is_hidden);

CREATE VIEW shown_scans AS SELECT * FROM standing_scans s WHERE NOT EXISTS
    (SELECT 1 FROM hidden_patients h WHERE h.patient_id = s.patient_id) AND NOT EXISTS
    (SELECT 1 FROM given_scans g JOIN scans t ON t.scan_id = g.target
        WHERE g.scan_id = s.scan_id AND g.is_given);

CREATE TABLE doubts (code TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE worklist (
    row_id INTEGER PRIMARY KEY AUTOINCREMENT,
    drop_id INTEGER UNIQUE,         -- the newest drop of files
    scan_id TEXT UNIQUE,            -- once it is published
    patient_id TEXT NOT NULL,
    arrived_at TEXT NOT NULL,       -- UTC, ISO 8601
    stage TEXT NOT NULL,            -- copying, waiting, running, failed, duplicate, done
    revision INTEGER NOT NULL DEFAULT 0,
    judged INTEGER NOT NULL DEFAULT 0,      -- the revision in which the mask was made
    finding TEXT,
    volume_ml REAL,
    side TEXT,                      -- of the largest lesion
    acquired_at TEXT,
    accession TEXT,
    growth REAL,                    -- per cent since the scan before; a million: from nothing
    flags INTEGER NOT NULL DEFAULT 0,
    is_doubtful INTEGER NOT NULL DEFAULT 0,
    trouble TEXT,                   -- why it could not be judged or compared again
    corrected_by TEXT,              -- who drew the mask, if it was a person
    decision TEXT NOT NULL DEFAULT '',      -- brought in from the records, as is the reviewer
    reviewer TEXT,
    looked_up INTEGER NOT NULL DEFAULT 0,   -- whether the records were asked
    mark INTEGER NOT NULL DEFAULT 0,        -- grows with every change of any row
    joins INTEGER,                  -- in passing: the row that this one takes the place of
    state TEXT NOT NULL GENERATED ALWAYS AS (CASE
        WHEN stage != 'done' THEN stage
        WHEN decision = 'needs_correction' THEN 'review'
        WHEN decision = '' AND (is_doubtful OR trouble IS NOT NULL) THEN 'review'
        ELSE 'done' END) STORED,
    urgency INTEGER NOT NULL GENERATED ALWAYS AS (CASE
        WHEN stage = 'failed' THEN 2
        WHEN stage = 'done' AND (decision = 'needs_correction' OR decision = ''
            AND (is_doubtful OR trouble IS NOT NULL)) THEN 1
        ELSE 0 END) STORED,
    growth_order REAL NOT NULL GENERATED ALWAYS AS (coalesce(growth, -1e9)) STORED,
    brief TEXT,
    folder BLOB,
    content_sha256 TEXT);

CREATE INDEX worklist_by_urgency ON worklist (urgency, growth_order, arrived_at, row_id);

CREATE INDEX worklist_by_arrived ON worklist (arrived_at, row_id, state);

CREATE INDEX worklist_by_acquired ON worklist (acquired_at, row_id);

CREATE INDEX worklist_by_state ON worklist (state, row_id);

CREATE INDEX worklist_by_finding ON worklist (finding, row_id);

CREATE INDEX worklist_by_volume ON worklist (volume_ml, row_id);

CREATE INDEX worklist_by_side ON worklist (side, row_id);

CREATE INDEX worklist_by_growth ON worklist (growth, row_id);

CREATE INDEX worklist_by_flags ON worklist (flags, row_id);

CREATE INDEX worklist_by_reviewer ON worklist (reviewer, row_id);

CREATE INDEX worklist_by_patient ON worklist (patient_id, row_id);

CREATE INDEX worklist_by_accession ON worklist (accession) WHERE accession IS NOT NULL;

CREATE INDEX worklist_by_mark ON worklist (mark);

CREATE INDEX worklist_to_look_up ON worklist (row_id) WHERE NOT looked_up;

CREATE TRIGGER worklist_entered AFTER INSERT ON worklist BEGIN
    UPDATE worklist_changes SET count = count + 1;
    UPDATE worklist SET mark = (SELECT count FROM worklist_changes)
        WHERE row_id = NEW.row_id;
END;

CREATE TRIGGER worklist_changed
    AFTER UPDATE OF stage, revision, arrived_at, decision, reviewer, trouble ON worklist BEGIN
    UPDATE worklist_changes SET count = count + 1;
    UPDATE worklist SET mark = (SELECT count FROM worklist_changes)
        WHERE row_id = NEW.row_id;
END;

CREATE INDEX worklist_of_state ON worklist (state, urgency, growth_order, arrived_at, row_id);

CREATE INDEX worklist_of_finding
    ON worklist (finding, urgency, growth_order, arrived_at, row_id);

CREATE INDEX worklist_of_side ON worklist (side, urgency, growth_order, arrived_at, row_id);

CREATE INDEX worklist_of_arrival ON worklist    -- with all that a list of some days needs
    (arrived_at, urgency, growth_order, stage, patient_id, scan_id);

CREATE INDEX worklist_of_patient ON worklist    -- with all that a list of some patients needs
    (patient_id, urgency, growth_order, arrived_at, stage, scan_id, acquired_at);

CREATE TRIGGER brief_follows AFTER UPDATE OF mark ON worklist
    WHEN NEW.scan_id IS NOT NULL BEGIN
    UPDATE worklist SET (brief, folder, content_sha256)
        = (SELECT brief, folder, content_sha256 FROM scan_briefs b
            WHERE b.scan_id = NEW.scan_id AND b.revision = NEW.revision)
        WHERE row_id = NEW.row_id;
    DELETE FROM worklist_flags WHERE scan_id = NEW.scan_id;
INSERT INTO worklist_flags SELECT DISTINCT json_extract(q.value, '$.code'), w.scan_id, w.row_id,
    w.urgency, w.growth_order, w.arrived_at
    FROM worklist w CROSS JOIN json_each(w.brief, '$.quality') q
    WHERE w.scan_id IS NOT NULL AND q.type = 'object'
 AND w.row_id = NEW.row_id;
END;

CREATE TRIGGER flags_end AFTER DELETE ON worklist WHEN OLD.scan_id IS NOT NULL BEGIN
    DELETE FROM worklist_flags WHERE scan_id = OLD.scan_id;
END;

CREATE INDEX worklist_unreviewed ON worklist (urgency, growth_order, arrived_at, row_id)
    WHERE stage = 'done' AND decision = '';

CREATE INDEX worklist_settled ON worklist (urgency, growth_order, arrived_at, row_id)
    WHERE decision = 'settled';

CREATE TRIGGER decision_figures AFTER UPDATE OF decision ON worklist
WHEN NEW.corrected_by IS NULL
    AND NEW.decision IN ('accepted', 'rejected', 'needs_correction') BEGIN
UPDATE scan_figures SET decision = NEW.decision WHERE scan_id = NEW.scan_id
    AND decision NOT IN (NEW.decision, 'corrected');
END;

CREATE TABLE worklist_changes (count INTEGER NOT NULL);

CREATE VIEW unlisted_scans AS   -- given to a patient and there already, or given by mistake
    SELECT g.scan_id FROM given_scans g JOIN scans t ON t.scan_id = g.target WHERE g.is_given
    UNION SELECT target FROM given_scans WHERE is_hidden;

CREATE VIEW scan_facts AS
    SELECT scan_id, revision, patient_id, published_at, finding, volume_ml, acquired_at,
        coalesce(json_extract(report, '$.judged_revision'), revision) AS judged,
        json_extract(report, '$.lesions[0].side') AS side,
        json_extract(report, '$.mask.by') AS corrected_by,
        nullif(accession, '') AS accession,
        coalesce(json_extract(report, '$.change.volume_percent'),
            1e6 * sign(json_extract(report, '$.change.volume_ml'))) AS growth,
        (SELECT count(DISTINCT json_extract(value, '$.code'))
            FROM json_each(report, '$.quality')) AS flags,
        finding = 'not_judged' OR EXISTS (SELECT 1 FROM json_each(report, '$.quality')
            WHERE json_extract(value, '$.code') IN doubts) AS is_doubtful
    FROM scans;

CREATE VIEW drop_stages AS
    SELECT drop_id, patient_id, seen_at, CASE
        WHEN state = 'rejected' THEN 'failed'
        WHEN state = 'waiting' AND NOT rested THEN 'copying'
        ELSE state END AS stage
    FROM drops WHERE kind NOT IN ('again', 'compare', 'correct') AND state != 'done'
        AND (kind != 'loose' OR state = 'rejected');

CREATE VIEW scans_to_list AS SELECT '' AS scan_id;

CREATE TRIGGER list_scan INSTEAD OF INSERT ON scans_to_list BEGIN
    UPDATE worklist SET decision = iif(judged = (SELECT judged FROM scan_facts f
            WHERE f.scan_id = NEW.scan_id ORDER BY revision DESC LIMIT 1), decision, '')
        WHERE scan_id = NEW.scan_id;
    UPDATE worklist SET looked_up = 0, trouble = NULL,
        (patient_id, finding, volume_ml, side, acquired_at, accession, growth, flags,
            is_doubtful, corrected_by, judged, revision)
        = (SELECT patient_id, finding, volume_ml, side, acquired_at, accession, growth, flags,
            is_doubtful, corrected_by, judged, revision FROM scan_facts f
            WHERE f.scan_id = NEW.scan_id ORDER BY f.revision DESC LIMIT 1)
        WHERE scan_id = NEW.scan_id;
END;

CREATE TABLE patient_scans (
    patient_id TEXT PRIMARY KEY,
    scans INTEGER NOT NULL,
    last TEXT NOT NULL              -- when the last was acquired, or else published
) WITHOUT ROWID;

CREATE INDEX patient_scans_by_last ON patient_scans (last, patient_id);

CREATE VIEW counted_scans AS
    SELECT s.patient_id, count(DISTINCT s.scan_id) AS scans,
        coalesce(max(s.acquired_at), max(s.published_at)) AS last
    FROM standing_scans s WHERE s.patient_id != 'unassigned'
    GROUP BY s.patient_id;

CREATE VIEW patients_to_count AS SELECT '' AS patient_id;

CREATE TRIGGER count_patient INSTEAD OF INSERT ON patients_to_count BEGIN
    DELETE FROM patient_scans WHERE patient_id = NEW.patient_id;
    DELETE FROM patient_scans WHERE patient_id
        = (SELECT into_id FROM merged_patients WHERE patient_id = NEW.patient_id);
    INSERT INTO patient_scans SELECT patient_id, scans, last FROM (
        SELECT coalesce((SELECT into_id FROM merged_patients
                WHERE patient_id = NEW.patient_id), NEW.patient_id) AS patient_id,
            count(DISTINCT s.scan_id) AS scans,
            coalesce(max(s.acquired_at), max(s.published_at)) AS last
        FROM standing_scans s WHERE s.patient_id != 'unassigned' AND s.patient_id IN (
            SELECT NEW.patient_id
            UNION SELECT into_id FROM merged_patients WHERE patient_id = NEW.patient_id
            UNION SELECT patient_id FROM merged_patients WHERE into_id = NEW.patient_id
            UNION SELECT o.patient_id FROM merged_patients m
                JOIN merged_patients o ON o.into_id = m.into_id
                WHERE m.patient_id = NEW.patient_id))
        WHERE scans > 0;
END;

CREATE VIEW scan_briefs AS SELECT scan_id, revision, content_sha256,
json_object('finding', finding,
    'volume_ml', json_extract(report, '$.volume_ml'),
    'area_mm2', json_extract(report, '$.area_mm2'),
    'area_px', json_extract(report, '$.area_px'),
    'side', json_extract(report, '$.lesions[0].side'),
    'lobe', (SELECT key FROM json_each(report, '$.lesions[0].lobes') LIMIT 1),
    'change', json_extract(report, '$.change'),
    'quality', json_extract(report, '$.quality'))
 AS brief,
    iif(removed_at IS NULL, folder, NULL) AS folder FROM scans;

CREATE TABLE worklist_flags (
    code TEXT NOT NULL,
    scan_id TEXT NOT NULL,
    row_id INTEGER NOT NULL,
    urgency INTEGER NOT NULL,
    growth_order REAL NOT NULL,
    arrived_at TEXT NOT NULL,
    PRIMARY KEY (code, scan_id)
) WITHOUT ROWID;

CREATE INDEX worklist_flags_of_scan ON worklist_flags (scan_id);

CREATE INDEX worklist_of_flag
    ON worklist_flags (code, urgency, growth_order, arrived_at, row_id);

CREATE TABLE stalled (path BLOB PRIMARY KEY,
    mtime_ns INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE result_files (
folder BLOB PRIMARY KEY,        -- below the outbox
files TEXT NOT NULL,            -- JSON: size, time (ns) and SHA-256 of each file by its name
is_late INTEGER NOT NULL DEFAULT 0,     -- 1: hashed by the first `verify --full`
checked_at TEXT NOT NULL DEFAULT ''     -- when they were last read whole
) WITHOUT ROWID;

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
ended_at TEXT, -- when it was sent, or given up
    sop_uid TEXT NOT NULL DEFAULT '',
    transaction_uid TEXT NOT NULL DEFAULT '',
    commitment TEXT NOT NULL DEFAULT '',
    commitment_code TEXT NOT NULL DEFAULT '',
    commitment_at TEXT,
UNIQUE (destination, sha256)
);

CREATE INDEX sent_objects_due ON sent_objects (destination, number)
WHERE state IN ('waiting', 'failed');

CREATE INDEX sent_objects_of_scan ON sent_objects (scan_id, number);

CREATE INDEX sent_objects_asked ON sent_objects (destination, transaction_uid)
WHERE transaction_uid != '';

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

CREATE TABLE merged_patients (      -- as the records say: scans of one are shown with the other
    patient_id TEXT PRIMARY KEY,
    into_id TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX merged_into ON merged_patients (into_id);

CREATE TABLE notices (              -- what somebody is to be told; nothing of a patient
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver TEXT NOT NULL,         -- its name in the settings
    key TEXT NOT NULL,              -- of what it tells, which is never told twice
    event TEXT NOT NULL,
    kinds TEXT NOT NULL,            -- what the scan is, for rules: words with spaces between
    scan_id TEXT NOT NULL,          -- '' = no scan
    at TEXT NOT NULL,               -- when it happened, UTC, ISO 8601
    entered REAL NOT NULL,          -- seconds since 1970, UTC
    at_once INTEGER NOT NULL,       -- 1: it waits for no others
    counts TEXT NOT NULL,           -- of a summary: JSON; else ''
    UNIQUE (receiver, key)
);

CREATE INDEX notices_in_line ON notices (receiver, number);

CREATE TABLE notify_targets (       -- an address of a receiver; '' for a webhook
    receiver TEXT NOT NULL,
    address TEXT NOT NULL,
    told INTEGER NOT NULL,          -- notices up to this number are in messages, or not for it
    PRIMARY KEY (receiver, address)
) WITHOUT ROWID;

CREATE TABLE notify_messages (
    message_id TEXT PRIMARY KEY,    -- random
    receiver TEXT NOT NULL,
    address TEXT NOT NULL,
    first INTEGER NOT NULL,         -- number of its first notice, and of its last
    last INTEGER NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('waiting', 'handed', 'sent', 'given_up', 'unclear')),
    tries INTEGER NOT NULL DEFAULT 0,
    next_try REAL NOT NULL DEFAULT 0,   -- seconds since 1970, UTC
    code TEXT NOT NULL DEFAULT '',      -- of the last answer
    reason TEXT NOT NULL DEFAULT '',    -- and the key of its sentence
    made REAL NOT NULL,                 -- seconds since 1970, UTC
    ended_at TEXT
);

CREATE INDEX notify_messages_in_line ON notify_messages (receiver, address, made);

CREATE TABLE scan_figures (         -- what is counted of each scan, as it was first published
scan_id TEXT PRIMARY KEY,
month TEXT NOT NULL,            -- YYYY-MM of that, by the local clock when it was entered
scanner TEXT NOT NULL,          -- '' = not told
finding TEXT NOT NULL,
is_flagged INTEGER NOT NULL,    -- it was analyzed, and asks for a person
confidence INTEGER,             -- per cent; NULL without a tumor
decision TEXT NOT NULL,         -- the last one on a mask of the network, or corrected; '' = none
dice INTEGER                    -- per cent: of the corrected mask with the network's
) WITHOUT ROWID;

CREATE TRIGGER figures_begin AFTER INSERT ON scan_figures BEGIN
INSERT INTO figures_to_count VALUES (NEW.month, NEW.scanner, NEW.finding, NEW.is_flagged,
    NEW.confidence, NEW.decision, NEW.dice, 1);
END;

CREATE TRIGGER figures_end AFTER DELETE ON scan_figures BEGIN
INSERT INTO figures_to_count VALUES (OLD.month, OLD.scanner, OLD.finding, OLD.is_flagged,
    OLD.confidence, OLD.decision, OLD.dice, -1);
END;

CREATE TRIGGER figures_change AFTER UPDATE ON scan_figures BEGIN
INSERT INTO figures_to_count VALUES (OLD.month, OLD.scanner, OLD.finding, OLD.is_flagged,
    OLD.confidence, OLD.decision, OLD.dice, -1);
INSERT INTO figures_to_count VALUES (NEW.month, NEW.scanner, NEW.finding, NEW.is_flagged,
    NEW.confidence, NEW.decision, NEW.dice, 1);
END;

CREATE TABLE month_figures (        -- the same, counted
month TEXT NOT NULL,
scanner TEXT NOT NULL,
figure TEXT NOT NULL,           -- finding, flagged, confidence, decision, dice
value TEXT NOT NULL,
scans INTEGER NOT NULL,
PRIMARY KEY (month, figure, value, scanner)     -- so that months are summed in order
) WITHOUT ROWID;

CREATE VIEW first_figures AS        -- not of scans that were given to a patient and are there again
SELECT scan_id, coalesce(strftime('%Y-%m', published_at, 'localtime'),
        substr(published_at, 1, 7)) AS month,
    coalesce(nullif(scanner, ''), json_extract(report, '$.input.study.station'), '') AS scanner,
    finding,
    finding != 'not_judged' AND EXISTS (SELECT 1 FROM json_each(report, '$.quality')
        WHERE json_extract(value, '$.code') IN doubts) AS is_flagged,
    CAST(round(100 * json_extract(report, '$.confidence')) AS INTEGER) AS confidence,
    (SELECT CAST(round(100 * json_extract(o.report, '$.mask.agreement.dice')) AS INTEGER)
        FROM scans o WHERE o.scan_id = s.scan_id AND o.revision > 1
        AND json_extract(o.report, '$.mask.source') = 'corrected'
        ORDER BY o.revision DESC LIMIT 1) AS dice
FROM scans s WHERE revision = 1
    AND NOT EXISTS (SELECT 1 FROM given_scans g WHERE g.scan_id = s.scan_id AND g.is_given)
    AND NOT EXISTS (SELECT 1 FROM given_scans g WHERE g.target = s.scan_id AND g.is_hidden);

CREATE VIEW counted_figures AS
SELECT month, scanner, 'finding' AS figure, finding AS value, count(*) AS scans
    FROM scan_figures GROUP BY month, scanner, finding
UNION ALL SELECT month, scanner, 'flagged', '1', count(*)
    FROM scan_figures WHERE is_flagged GROUP BY month, scanner
UNION ALL SELECT month, scanner, 'confidence', CAST(confidence AS TEXT), count(*)
    FROM scan_figures WHERE confidence IS NOT NULL GROUP BY month, scanner, confidence
UNION ALL SELECT month, scanner, 'decision', decision, count(*)
    FROM scan_figures WHERE decision != '' GROUP BY month, scanner, decision
UNION ALL SELECT month, scanner, 'dice', CAST(dice AS TEXT), count(*)
    FROM scan_figures WHERE dice IS NOT NULL GROUP BY month, scanner, dice;

CREATE VIEW figures_to_count AS     -- a procedure: so many more of all that a scan counts as
SELECT '' AS month, '' AS scanner, '' AS finding, 0 AS is_flagged, 0 AS confidence,
    '' AS decision, 0 AS dice, 0 AS change;

CREATE TRIGGER count_figures INSTEAD OF INSERT ON figures_to_count BEGIN
INSERT INTO month_figures SELECT NEW.month, NEW.scanner, figure, value, NEW.change
    FROM (SELECT 'finding' AS figure, NEW.finding AS value
        UNION ALL SELECT 'flagged', iif(NEW.is_flagged, 1, '')
        UNION ALL SELECT 'confidence', NEW.confidence
        UNION ALL SELECT 'decision', NEW.decision
        UNION ALL SELECT 'dice', NEW.dice) WHERE coalesce(value, '') != ''
    ON CONFLICT DO UPDATE SET scans = scans + excluded.scans;
DELETE FROM month_figures WHERE NEW.change < 0 AND month = NEW.month
    AND scanner = NEW.scanner AND scans = 0;
END;

CREATE VIEW scans_to_figure AS SELECT '' AS scan_id;

CREATE TRIGGER figure_scan INSTEAD OF INSERT ON scans_to_figure BEGIN
DELETE FROM scan_figures WHERE scan_id = NEW.scan_id
    AND NOT EXISTS (SELECT 1 FROM first_figures f WHERE f.scan_id = NEW.scan_id);
INSERT INTO scan_figures SELECT scan_id, month, scanner, finding, is_flagged, confidence,
        iif(dice IS NULL, '', 'corrected'), dice
    FROM first_figures WHERE scan_id = NEW.scan_id
    ON CONFLICT DO UPDATE SET scanner = excluded.scanner, finding = excluded.finding,
        is_flagged = excluded.is_flagged, confidence = excluded.confidence,
        dice = excluded.dice, decision = iif(excluded.decision != '', excluded.decision,
            iif(decision = 'corrected', '', decision));
END;


-- The records

CREATE TABLE patients (
    patient_key TEXT PRIMARY KEY,   -- random: the only name of a patient that a URL may show
    patient_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL DEFAULT '',
    birth_date TEXT NOT NULL DEFAULT '',        -- ISO 8601, or ''
    gender TEXT NOT NULL DEFAULT '',
    phone TEXT NOT NULL DEFAULT '',
    address TEXT NOT NULL DEFAULT '',
    emergency_contact TEXT NOT NULL DEFAULT '',
    insurance TEXT NOT NULL DEFAULT '',
    doctor TEXT NOT NULL DEFAULT '',
    family_history TEXT NOT NULL DEFAULT '',
    symptoms TEXT NOT NULL DEFAULT '',
    previous_conditions TEXT NOT NULL DEFAULT '',
    medications TEXT NOT NULL DEFAULT '',
    biopsy TEXT NOT NULL DEFAULT '',
    histology TEXT NOT NULL DEFAULT '',
    diagnosis_date TEXT NOT NULL DEFAULT '',
    treatment_type TEXT NOT NULL DEFAULT '',
    treatment_start TEXT NOT NULL DEFAULT '',
    treatment_response TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    photo_id TEXT NOT NULL DEFAULT '',
    version INTEGER NOT NULL DEFAULT 1,
    deleted_at TEXT NOT NULL DEFAULT '');

CREATE UNIQUE INDEX patients_by_photo ON patients (photo_id) WHERE photo_id != '';

CREATE UNIQUE INDEX patients_in_order ON patients (name, patient_id);

CREATE TRIGGER patient_lists AFTER INSERT ON patients BEGIN
    INSERT INTO patients_to_list VALUES (NEW.patient_id);
END;

CREATE TRIGGER patient_unlists AFTER DELETE ON patients BEGIN
    DELETE FROM listed_patients WHERE patient_id = OLD.patient_id;
END;

CREATE TRIGGER patient_relists AFTER UPDATE OF name, deleted_at ON patients BEGIN
    INSERT INTO patients_to_list VALUES (NEW.patient_id);
    INSERT INTO patients_to_list SELECT into_id FROM patient_merges
        WHERE patient_id = NEW.patient_id AND undone_at = '';
END;

CREATE TABLE reviews (
    review_id INTEGER PRIMARY KEY,
    scan_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('accepted', 'rejected', 'needs_correction')),
    comment TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    at TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    drawn_by TEXT NOT NULL DEFAULT '');

CREATE INDEX reviews_by_scan ON reviews (scan_id, revision, review_id);

CREATE TABLE scan_dates (           -- when a scan was acquired, where its files do not say
    entry INTEGER PRIMARY KEY,      -- the newest one of a scan counts
    scan_id TEXT NOT NULL,
    acquired_on TEXT NOT NULL,      -- ISO 8601; '' = taken back
    entered_by TEXT NOT NULL,
    entered_at TEXT NOT NULL
);

CREATE INDEX scan_dates_by_scan ON scan_dates (scan_id, entry);

CREATE TABLE secrets (name TEXT PRIMARY KEY,
    value TEXT NOT NULL) WITHOUT ROWID;

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

CREATE TABLE photos (photo_id TEXT PRIMARY KEY,
    jpeg BLOB NOT NULL);

CREATE TABLE deleted_patients (     -- what was entered about them, until it is erased
    deletion INTEGER PRIMARY KEY,
    patient_key TEXT NOT NULL,
    patient_id TEXT NOT NULL,
    record TEXT NOT NULL,           -- JSON: every field that was entered, and the photo
    deleted_by TEXT NOT NULL,
    deleted_at TEXT NOT NULL,
    erase_at TEXT NOT NULL
);

CREATE INDEX deletions_by_patient ON deleted_patients (patient_key);

CREATE TABLE patient_changes (
    change INTEGER PRIMARY KEY,
    patient_key TEXT NOT NULL,
    version INTEGER NOT NULL,       -- of the record after it
    at TEXT NOT NULL,
    entered_by TEXT NOT NULL,       -- '' = DICOM tags told it
    field TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL
);

CREATE INDEX changes_by_patient ON patient_changes (patient_key, change);

CREATE TRIGGER changes_stay_as_they_are BEFORE UPDATE ON patient_changes
    BEGIN SELECT RAISE(ABORT, 'a change is never changed'); END;

CREATE TRIGGER changes_stay BEFORE DELETE ON patient_changes
    WHEN NOT EXISTS (SELECT 1 FROM deleted_patients d
        WHERE d.patient_key = OLD.patient_key AND OLD.at <= d.deleted_at)
    BEGIN SELECT RAISE(ABORT, 'a change is never forgotten'); END;

CREATE TABLE assignments (          -- scans of `unassigned` that people gave to a patient
    assignment INTEGER PRIMARY KEY,
    scan_id TEXT NOT NULL,
    patient_id TEXT NOT NULL,
    target TEXT NOT NULL,           -- scan_id of the same content under the patient
    was_there INTEGER NOT NULL,     -- 1: the patient had that scan without the assignment
    given_by TEXT NOT NULL,
    given_at TEXT NOT NULL,
    placed_at TEXT NOT NULL DEFAULT '',         -- when its files lay in the inbox
    taken_back_by TEXT NOT NULL DEFAULT '',
    taken_back_at TEXT NOT NULL DEFAULT ''
);

CREATE UNIQUE INDEX one_patient_a_scan ON assignments (scan_id) WHERE taken_back_at = '';

CREATE TABLE scan_spacings (        -- how large pixels are, where the file does not say
    entry INTEGER PRIMARY KEY,      -- the newest one of a scan counts
    scan_id TEXT NOT NULL,
    across_mm REAL,                 -- NULL = taken back
    down_mm REAL,
    between_mm REAL,                -- between slices; NULL for a single picture
    entered_by TEXT NOT NULL,
    entered_at TEXT NOT NULL
);

CREATE INDEX scan_spacings_by_scan ON scan_spacings (scan_id, entry);

CREATE TABLE accounts (
    account_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    full_name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('reader', 'uploader', 'reviewer', 'admin')),
    password_hash TEXT NOT NULL,    -- argon2id, '' = none: only a link lets in
    enabled INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL,
    issuer TEXT NOT NULL DEFAULT '',
    subject TEXT NOT NULL DEFAULT '');

CREATE UNIQUE INDEX accounts_of_hospital ON accounts (issuer, subject) WHERE issuer != '';

CREATE TABLE login_sessions (
    key_hash TEXT PRIMARY KEY,      -- SHA-256 of the key in the cookie
    account_id INTEGER NOT NULL REFERENCES accounts,
    csrf TEXT NOT NULL,
    began REAL NOT NULL,            -- Unix seconds
    seen REAL NOT NULL              -- the last thing that a person did
);

CREATE INDEX login_sessions_by_account ON login_sessions (account_id, began);

CREATE TABLE login_links (
    key_hash TEXT PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts,
    ends_at REAL NOT NULL
);

CREATE TABLE login_failures (
    subject TEXT NOT NULL,          -- an account's name or an address
    at REAL NOT NULL
);

CREATE INDEX login_failures_by_subject ON login_failures (subject, at);

CREATE TABLE api_tokens (
    token_id INTEGER PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES accounts,
    label TEXT NOT NULL,
    role TEXT NOT NULL,
    ends_on TEXT NOT NULL,          -- ISO 8601
    created_at TEXT NOT NULL,
    revoked_at TEXT
);

CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    account TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,          -- an opaque id or a kind of page
    detail TEXT NOT NULL,
    hash TEXT NOT NULL              -- over the hash before and this entry's fields
);

CREATE INDEX audit_by_account ON audit (account, number);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

CREATE INDEX audit_by_subject ON audit (subject, number);

CREATE INDEX audit_by_time ON audit (at);

CREATE TABLE listed_patients (      -- those not deleted, as they are searched and sorted
    number INTEGER PRIMARY KEY,
    patient_id TEXT NOT NULL UNIQUE,
    is_nameless INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    words TEXT NOT NULL             -- name and ID without case and accents
);

CREATE INDEX listed_by_name ON listed_patients (is_nameless, name, patient_id);

CREATE TRIGGER listed_is_searched AFTER INSERT ON listed_patients BEGIN
    INSERT INTO patient_names (rowid, words) VALUES (NEW.number, NEW.words);
END;

CREATE TRIGGER unlisted_is_not_searched AFTER DELETE ON listed_patients BEGIN
    INSERT INTO patient_names (patient_names, rowid, words)
        VALUES ('delete', OLD.number, OLD.words);
END;

CREATE VIRTUAL TABLE patient_names USING fts5
    (words, content = 'listed_patients', content_rowid = 'number', tokenize = 'trigram');

CREATE VIEW patients_to_list AS SELECT '' AS patient_id;

CREATE TRIGGER list_patient INSTEAD OF INSERT ON patients_to_list BEGIN
    DELETE FROM listed_patients WHERE patient_id = NEW.patient_id;
    INSERT INTO listed_patients (patient_id, is_nameless, name, words)
        SELECT patient_id, name = '', name,
            fold(name) || char(10) || fold(shown_id(patient_id)) || char(10, 10)
            || coalesce((SELECT group_concat(fold(o.name) || char(10)
                || fold(shown_id(o.patient_id)) || char(10, 10), '')
                FROM patient_merges m JOIN patients o ON o.patient_id = m.patient_id
                WHERE m.into_id = p.patient_id AND m.undone_at = ''), '')
        FROM patients p WHERE patient_id = NEW.patient_id AND deleted_at = ''
        AND NOT EXISTS (SELECT 1 FROM patient_merges m
            WHERE m.patient_id = p.patient_id AND m.undone_at = '');
END;

CREATE VIRTUAL TABLE patient_grams USING fts5vocab (patient_names, 'instance');

CREATE TABLE audit_journal (        -- of what is being done elsewhere; becomes entries of audit
number INTEGER PRIMARY KEY AUTOINCREMENT,
at TEXT NOT NULL,               -- when it was begun
account TEXT NOT NULL,
action TEXT NOT NULL,
subject TEXT NOT NULL,
detail TEXT NOT NULL
);

CREATE TABLE analysis_wishes (      -- scans that a person wants analyzed whatever they look like
    entry INTEGER PRIMARY KEY,      -- the newest one of a scan counts
    scan_id TEXT NOT NULL,
    is_wanted INTEGER NOT NULL,     -- 0 = taken back
    wished_by TEXT NOT NULL,
    wished_at TEXT NOT NULL,
    series_number INTEGER,
    series_description TEXT,
    series_slices INTEGER,
    reason TEXT NOT NULL DEFAULT '');

CREATE INDEX analysis_wishes_by_scan ON analysis_wishes (scan_id, entry);

CREATE TABLE mask_drafts (          -- masks that people draw in the browser and have not sent yet
    scan_id TEXT NOT NULL,
    account_id INTEGER NOT NULL REFERENCES accounts,
    revision INTEGER NOT NULL,      -- whose mask it began with
    begun_at TEXT NOT NULL,
    kept_at TEXT NOT NULL,
    mask BLOB NOT NULL,             -- .nii.gz, as the browser packed it
    PRIMARY KEY (scan_id, account_id)
);

CREATE TABLE settled_scans (        -- not analyzed, and nothing more is to be done about them
    entry INTEGER PRIMARY KEY,      -- the newest one of a scan's revision counts
    scan_id TEXT NOT NULL,
    revision INTEGER NOT NULL,      -- the one that was not analyzed
    reason TEXT NOT NULL,           -- a short code, '' = taken back
    comment TEXT NOT NULL,
    settled_by TEXT NOT NULL,
    settled_at TEXT NOT NULL
);

CREATE INDEX settled_scans_by_scan ON settled_scans (scan_id, revision, entry);

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

CREATE TABLE patient_merges (       -- two records that people say are of one patient
    merge INTEGER PRIMARY KEY,
    patient_id TEXT NOT NULL,       -- the one that is listed no more
    into_id TEXT NOT NULL,          -- with whom its scans are shown
    reason TEXT NOT NULL,
    merged_by TEXT NOT NULL,
    merged_at TEXT NOT NULL,
    undone_by TEXT NOT NULL DEFAULT '',
    undone_at TEXT NOT NULL DEFAULT ''
);

CREATE UNIQUE INDEX one_merge_a_patient ON patient_merges (patient_id) WHERE undone_at = '';

CREATE INDEX patients_merged_into ON patient_merges (into_id) WHERE undone_at = '';

CREATE INDEX merges_of_patient ON patient_merges (patient_id, merge);

CREATE TRIGGER merge_lists AFTER INSERT ON patient_merges BEGIN
    INSERT INTO patients_to_list VALUES (NEW.patient_id);
    INSERT INTO patients_to_list VALUES (NEW.into_id);
END;

CREATE TRIGGER merge_relists AFTER UPDATE OF undone_at ON patient_merges BEGIN
    INSERT INTO patients_to_list VALUES (NEW.patient_id);
    INSERT INTO patients_to_list VALUES (NEW.into_id);
END;

CREATE TABLE mail_addresses (       -- where accounts are told what happens
    account_id INTEGER PRIMARY KEY REFERENCES accounts,
    address TEXT NOT NULL
);

CREATE TABLE measurements (         -- what people measured on a scan's voxels; what was removed stays
    measurement_id INTEGER PRIMARY KEY,
    scan_id TEXT NOT NULL,
    revision INTEGER NOT NULL,      -- the one that was shown
    grid TEXT NOT NULL,             -- by it revisions with the same voxels are known
    shape TEXT NOT NULL,
    points TEXT NOT NULL,           -- JSON: voxel indices along i, j, k
    figures TEXT NOT NULL,          -- JSON: what was measured then
    account_id INTEGER NOT NULL REFERENCES accounts,
    measured_by TEXT NOT NULL,
    measured_at TEXT NOT NULL,
    removed_by TEXT NOT NULL DEFAULT '',
    removed_at TEXT NOT NULL DEFAULT ''
);

CREATE INDEX measurements_by_scan ON measurements (scan_id, measurement_id);

CREATE TABLE measurement_documents (    -- a person's measurements that are to be left as a DICOM SR
    document_id INTEGER PRIMARY KEY,
    scan_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    account_id INTEGER NOT NULL REFERENCES accounts,
    asked_by TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    measurements TEXT NOT NULL      -- JSON: their numbers
);

CREATE INDEX measurement_documents_by_scan ON measurement_documents (scan_id, document_id);

CREATE TABLE second_factors (       -- of accounts of ours: codes of a phone, by RFC 6238
    account_id INTEGER PRIMARY KEY REFERENCES accounts,
    secret TEXT NOT NULL,           -- Base32: it has to be known to make the code
    is_on INTEGER NOT NULL,         -- 0 = was shown, and no code has proven yet that a phone has it
    last_step INTEGER NOT NULL      -- of the newest code that was taken: none counts twice
);

CREATE TABLE recovery_codes (       -- each in place of the phone, once
    code_hash TEXT PRIMARY KEY,     -- SHA-256: they are random
    account_id INTEGER NOT NULL REFERENCES accounts
);

CREATE TABLE login_steps (          -- who knew the password, or had a link, and owes a code yet
    key_hash TEXT PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts,
    checked TEXT NOT NULL,          -- the password's hash by then
    how TEXT NOT NULL,              -- for the audit
    ends_at REAL NOT NULL
);
