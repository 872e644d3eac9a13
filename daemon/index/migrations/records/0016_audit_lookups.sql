    CREATE INDEX audit_by_subject ON audit (subject, number);   -- all that was done with one patient
    CREATE INDEX audit_by_time ON audit (at);                   -- from which day on
