"""The worklist's page: rows in words, filters and order in its address, the counts above it."""
