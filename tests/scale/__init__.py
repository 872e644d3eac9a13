"""A hospital of a million scans: made without judging anything, asked, and timed."""
