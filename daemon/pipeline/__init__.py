"""From a claimed drop to a published result, and every revision after it.

In comes a `Job` (a claimed drop with all that it needs); out goes a folder of the outbox and the
state that the drop ends in. `worker_tasks` and what it calls run in a worker's process
(`worker_processes`), all else in the daemon's.
"""
