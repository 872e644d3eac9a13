    ALTER TABLE worklist ADD COLUMN brief TEXT;             -- JSON: what a row shows of the report
    ALTER TABLE worklist ADD COLUMN folder BLOB;            -- until retention takes the files away
    ALTER TABLE worklist ADD COLUMN content_sha256 TEXT;    -- of the image files
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

    DROP TABLE worklist_flags;
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
    CREATE INDEX worklist_of_patient ON worklist    -- with all that a list of some patients needs
        (patient_id, urgency, growth_order, arrived_at, stage, scan_id, acquired_at);
    DROP INDEX scans_by_content;    -- with the patient, so that twins are found in it alone
    CREATE INDEX scans_by_content ON scans (content_sha256, patient_id);
    CREATE INDEX drops_again ON drops (scan_id)
        WHERE kind = 'again' AND state IN ('waiting', 'running');

    DROP TRIGGER list_scan;
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
    CREATE TRIGGER files_are_taken_away AFTER UPDATE OF removed_at ON scans BEGIN
        UPDATE worklist SET trouble = trouble   -- in name only, so that its mark grows
            WHERE scan_id = NEW.scan_id AND revision = NEW.revision;
    END;

    UPDATE worklist SET (brief, folder, content_sha256)
        = (SELECT brief, folder, content_sha256 FROM scan_briefs b
            WHERE b.scan_id = worklist.scan_id AND b.revision = worklist.revision)
        WHERE scan_id IS NOT NULL;
    
    INSERT INTO worklist_flags SELECT DISTINCT json_extract(q.value, '$.code'), w.scan_id, w.row_id,
        w.urgency, w.growth_order, w.arrived_at
        FROM worklist w CROSS JOIN json_each(w.brief, '$.quality') q
        WHERE w.scan_id IS NOT NULL AND q.type = 'object'
;
