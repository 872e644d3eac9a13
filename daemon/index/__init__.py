"""Every SQL statement of gliowatch, one module a subject, over two SQLite files.

The index (drops, scans, worklist) can be made again from outbox and inbox; the records (`people/`)
hold what people entered. `migrations/` brings either file to its newest shape. In come plain
values; out go frozen rows.
"""
