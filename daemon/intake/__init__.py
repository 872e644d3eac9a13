"""From the inbox to a drop that is ready: what lies there, has it rested, which study is it.

In come files that somebody dropped or uploaded; out go drops in the ledger, and inside the worker
a staging folder with their bytes and hashes. It also cleans up the inbox once a drop has ended.
"""
