"""A record of everything that gliowatch gives out, to prove that a change of its code changes none.

Only the command line and the pages are used, so modules may be moved and renamed freely.
"""
