"""What people say in the worklist about scans and lists, and whose an unassigned scan is: the SQL.

It stands before and beside a review.
"""
