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
