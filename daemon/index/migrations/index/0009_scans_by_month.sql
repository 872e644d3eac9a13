    CREATE INDEX scans_by_month ON scans (substr(published_at, 1, 7))
        WHERE revision = 1 AND finding != 'not_judged';
