INSERT INTO doubts VALUES ('incomplete');    -- a part of the head, or of the files, is not there
