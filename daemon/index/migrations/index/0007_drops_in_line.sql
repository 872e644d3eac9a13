    CREATE INDEX drops_in_line ON drops (urgent DESC, arrived_ns DESC, drop_id)
        WHERE state = 'waiting' AND rested;
