"""Studies behind figures of the documents, each a command; they do not ship in the wheel."""
