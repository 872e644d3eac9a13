"""Every SQL statement of gliowatch, one file a subject."""
