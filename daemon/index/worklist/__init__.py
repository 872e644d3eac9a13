"""SQL of the worklist: its rows, pages in any order, and what they take from the records."""
