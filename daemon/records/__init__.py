"""The rules of what people enter: accounts, reviews, assignments, corrections, entered dates.

In comes what a page, the API or a command was given; out go rows of the records and drops of the
queue that follow from them. The SQL itself is in `daemon/index/people`.
"""
