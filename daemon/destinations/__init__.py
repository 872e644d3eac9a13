"""Results go to the archives that the settings name, each object once.

`process` is the sender's process and the command; `sender` sends to one destination;
`result_selection` says which results may go there; `outgoing_objects` finds their objects;
`journal` is the account of what an archive has, which outlives the index; `commitments` asks an
archive what it keeps; `send_status` tells it in words. `dicom_node.storescu` and
`dicom_node.stow_client` speak with archives.

What was sent stands in `outbox/.sent/`, one file a destination, a line an object, synced before
anything else is told of it. The index is entered from there, so that an index that is made again
knows it, and no transaction spans two files. It is no part of the records, which hold what people
entered: a copy of the night before would tell of less than the archive has.
"""
