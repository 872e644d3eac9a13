"""The worklist's page: rows in words, filters and order in its address, the counts above it.

A column is declared in `columns`; its value comes from the row of `daemon/index/worklist_rows`.
"""
