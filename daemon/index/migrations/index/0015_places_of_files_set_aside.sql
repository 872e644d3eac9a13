-- Before step 4 nobody noted where files were set aside. They count as still to leave the inbox, so
-- that the daemon's first look finds where each lies by now, and notes it.
UPDATE files SET in_inbox = 1 WHERE aside IS NULL AND NOT in_inbox
    AND drop_id IN (SELECT drop_id FROM drops WHERE state IN ('duplicate', 'rejected'));
