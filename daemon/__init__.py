"""Folders, the queue, the index, the outbox: from a dropped file to a published result.

A stage is a package: `intake` takes files in, `pipeline` takes one drop to its result, `outputs`
writes every file of it, `index` holds all SQL, `records` the rules of what people enter,
`operations` what keeps a site running, `commands` the command line. Two modules make it run:
`supervisor` starts and ends the processes (daemon, viewer, and whatever stands beside them);
`service` is the daemon's own loop and its periodic work, from the disk's reserve to the nightly
copy. Beside them stand the plain values that all share: drops, report, scan_history, settings, and
permissions (the roles and their rights).
"""
