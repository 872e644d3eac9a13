"""What people say in the worklist about scans and lists, before and beside a review: the SQL."""
