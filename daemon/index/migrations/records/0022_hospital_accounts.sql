    ALTER TABLE accounts ADD COLUMN issuer TEXT NOT NULL DEFAULT '';   -- who tells that it is this person, '' = the account is ours
    ALTER TABLE accounts ADD COLUMN subject TEXT NOT NULL DEFAULT '';  -- the issuer's own word for the person, which never goes to another
    CREATE UNIQUE INDEX accounts_of_hospital ON accounts (issuer, subject) WHERE issuer != '';
