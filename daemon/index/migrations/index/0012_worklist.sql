    CREATE TABLE doubts (code TEXT PRIMARY KEY) WITHOUT ROWID;  -- flags that ask for a person
    INSERT INTO doubts VALUES ('identity_conflict'), ('filed_twice'), ('low_confidence'),
        ('several_places'), ('slices_missing'), ('missing_voxels');

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
        growth_order REAL NOT NULL GENERATED ALWAYS AS (coalesce(growth, -1e9)) STORED
    );
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
    CREATE INDEX worklist_unreviewed ON worklist (urgency, growth_order, arrived_at, row_id)
        WHERE stage = 'done' AND decision = '';
    CREATE INDEX worklist_to_look_up ON worklist (row_id) WHERE NOT looked_up;

    CREATE TABLE worklist_flags (
        code TEXT NOT NULL,
        scan_id TEXT NOT NULL,
        PRIMARY KEY (code, scan_id)
    ) WITHOUT ROWID;
    CREATE INDEX worklist_flags_of_scan ON worklist_flags (scan_id);
    CREATE TABLE worklist_changes (count INTEGER NOT NULL);
    INSERT INTO worklist_changes VALUES (0);

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
    CREATE VIEW scans_to_list AS SELECT '' AS scan_id;      -- a procedure, as SQLite has none
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

        DELETE FROM worklist_flags WHERE scan_id = NEW.scan_id;
        INSERT INTO worklist_flags
            SELECT DISTINCT json_extract(value, '$.code'), NEW.scan_id FROM json_each(
                (SELECT report FROM scans WHERE scan_id = NEW.scan_id
                    ORDER BY revision DESC LIMIT 1), '$.quality');
    END;

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

    INSERT INTO worklist (scan_id, patient_id, arrived_at, stage)
        SELECT scan_id, patient_id, min(published_at), 'done' FROM scans GROUP BY scan_id
        ORDER BY min(published_at);
    INSERT INTO scans_to_list SELECT scan_id FROM worklist;
    UPDATE worklist SET (drop_id, arrived_at) = (SELECT drop_id, seen_at FROM drops d
            WHERE d.scan_id = worklist.scan_id AND d.state = 'done'
            AND d.kind NOT IN ('again', 'compare', 'correct') ORDER BY drop_id DESC LIMIT 1)
        WHERE EXISTS (SELECT 1 FROM drops d WHERE d.scan_id = worklist.scan_id
            AND d.state = 'done' AND d.kind NOT IN ('again', 'compare', 'correct'));
    INSERT INTO worklist (drop_id, patient_id, arrived_at, stage)
        SELECT drop_id, patient_id, seen_at, stage FROM drop_stages ORDER BY drop_id;
