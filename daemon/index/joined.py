"""One connection that reads both databases: the lists of the viewer join what each of them knows.

It may write to the index; the records are attached read-only, so no transaction spans both.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite

from daemon.index.database import BUSY_SECONDS, Database, DatabaseError

CACHE_KIB = 24576  # fifty rows of the worklist lie in some three hundred places of 4 KiB


@asynccontextmanager
async def open_joined(index: Path, records: Path) -> AsyncIterator[Database]:
    """The index as `main` and the records as `records`; both must be there in their newest shape.

    Raises DatabaseError.
    """
    try:
        async with aiosqlite.connect(
            _uri(index), timeout=BUSY_SECONDS, isolation_level=None, uri=True
        ) as connection:
            connection.row_factory = aiosqlite.Row
            await connection.execute("PRAGMA synchronous = FULL")
            await connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            await connection.execute("ATTACH DATABASE ? AS records", (f"{_uri(records)}?mode=ro",))
            yield Database(connection)
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"A database file cannot be used: {error}.") from error


async def change_marks(joined: Database) -> tuple[int, int] | None:
    """Two numbers, for index and records, that differ once anybody else has committed to them.

    None if they cannot be read just now (PRAGMA data_version of SQLite).
    """
    try:
        rows = [
            await joined.row(f"PRAGMA {database}.data_version") for database in ("main", "records")
        ]
    except (sqlite3.Error, ValueError):  # ValueError: the connection was closed
        return None
    return (int(rows[0][0]), int(rows[1][0])) if rows[0] and rows[1] else None


def _uri(path: Path) -> str:
    return path.absolute().as_uri()
