"""Earlier studies of a patient come from the PACS, so that a scan can be compared with one.

`process` is the process beside the daemon, and the command; `retrieval` finds what is missing and
has it come to our node, where it goes through the inbox as any study does, last of all; `dicomweb`
asks and fetches by HTTP, where `dicom_node.query_scu` does by C-FIND and C-MOVE; `journal` is the
account of what was fetched, so that nothing is fetched twice.

A scan is published before its priors are asked for: they hold up nothing, and the scan is compared
anew when they are there.
"""
