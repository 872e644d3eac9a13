    CREATE TABLE mail_addresses (       -- where accounts are told what happens
        account_id INTEGER PRIMARY KEY REFERENCES accounts,
        address TEXT NOT NULL
    );
