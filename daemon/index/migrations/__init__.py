"""The frozen steps that bring the two databases to their newest shape; each is only ever added."""
