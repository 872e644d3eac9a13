"""Folders, the queue, the index, the outbox: from a dropped file to a published result.

A stage is a package: `intake` takes files in, `pipeline` takes one drop to its result, `outputs`
writes every file of it, `index` holds all SQL, `records` the rules of what people enter,
`operations` what keeps a site running, `commands` the command line. Beside them stand the plain
values that all of them share: drops, scan_history, settings, permissions.
"""
