    DROP INDEX worklist_unreviewed;     -- what was not analyzed needs a person too, until it is settled
    CREATE INDEX worklist_unreviewed ON worklist (urgency, growth_order, arrived_at, row_id)
        WHERE stage = 'done' AND decision = '';
    CREATE INDEX worklist_settled ON worklist (urgency, growth_order, arrived_at, row_id)
        WHERE decision = 'settled';
