"""The DICOM node: studies come from a PACS into the inbox by C-STORE, in a process of its own.

`node` is that process; `server` accepts connections and keeps a peer within its bounds;
`presentation_contexts` says which classes and syntaxes are taken; `object_storage` brings one
object to the disk and answers; `study_assembly` makes studies of objects, and one folder of the
inbox of each study that is complete. `stow_staging` holds what comes by STOW-RS, or is fetched by
WADO-RS, until it is whole; `query_scu` asks a PACS for earlier studies. `staging` names the places
of all that below the inbox, and `associations` is the account of who sent what. These two load no
network library, since verify and the viewer read them. `commitment_scu` asks an archive what it
keeps; by `commitment_reports` the node's process gives the answer to the sender's.

The node never looks into an object: it writes the bytes as they come. Whose they are is read from
the header in a worker's process, which the kernel confines.
"""
