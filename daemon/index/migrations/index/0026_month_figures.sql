ALTER TABLE scans ADD COLUMN scanner TEXT NOT NULL DEFAULT '';  -- in words; '' = not told

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

INSERT INTO scan_figures SELECT scan_id, month, scanner, finding, is_flagged, confidence,
    iif(dice IS NULL, '', 'corrected'), dice FROM first_figures;
UPDATE scan_figures SET decision = w.decision FROM worklist w
    WHERE w.scan_id = scan_figures.scan_id AND scan_figures.decision = ''
    AND w.corrected_by IS NULL AND w.decision IN ('accepted', 'rejected', 'needs_correction');
INSERT INTO month_figures SELECT * FROM counted_figures;

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

CREATE VIEW scans_to_figure AS SELECT '' AS scan_id;    -- a procedure: a scan's figures as they are
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
CREATE TRIGGER scan_figures_come AFTER INSERT ON scans BEGIN
    INSERT INTO scans_to_figure VALUES (NEW.scan_id);
END;
CREATE TRIGGER scan_figures_go AFTER DELETE ON scans BEGIN
    INSERT INTO scans_to_figure VALUES (OLD.scan_id);
END;
CREATE TRIGGER given_figures_come AFTER INSERT ON given_scans BEGIN
    INSERT INTO scans_to_figure VALUES (NEW.scan_id), (NEW.target);
END;
CREATE TRIGGER given_figures_change AFTER UPDATE ON given_scans BEGIN
    INSERT INTO scans_to_figure VALUES (NEW.scan_id), (NEW.target);
END;
CREATE TRIGGER decision_figures AFTER UPDATE OF decision ON worklist
    WHEN NEW.corrected_by IS NULL
        AND NEW.decision IN ('accepted', 'rejected', 'needs_correction') BEGIN
    UPDATE scan_figures SET decision = NEW.decision WHERE scan_id = NEW.scan_id
        AND decision NOT IN (NEW.decision, 'corrected');
END;
