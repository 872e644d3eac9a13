"""Folders, the queue, the index, the outbox: from a dropped file to a published result."""
