"""When the daemon last did what it does again and again: a sign of life for others to ask for."""

import sqlite3
import time

from daemon.index.database import Database

RECONCILE = "reconcile"  # a look through the inbox that came to its end


async def beat(index: Database, name: str) -> bool:
    """Note that this was done just now; False if it cannot be written, since the disk is full."""
    try:
        async with index.transaction():
            await index.change(
                "INSERT OR REPLACE INTO heartbeats (name, at) VALUES (?, ?)", (name, time.time())
            )
    except sqlite3.OperationalError:
        return False
    return True


async def seconds_since(index: Database, name: str) -> float | None:
    """How long ago this was done, in seconds and never below 0; None if it never was."""
    row = await index.row("SELECT at FROM heartbeats WHERE name = ?", (name,))
    return max(0.0, time.time() - float(row["at"])) if row else None


async def is_alive(index: Database, name: str, longest: float) -> bool:
    """Whether the index can be read and this was done at most `longest` seconds ago.

    A connection that was closed is a ValueError.
    """
    try:
        await index.row("SELECT 1 FROM scans LIMIT 1")
        seconds = await seconds_since(index, name)
    except (sqlite3.Error, ValueError):
        return False
    return seconds is not None and seconds <= longest
