"""A hospital of a million scans: made without analyzing anything, asked, and timed."""
