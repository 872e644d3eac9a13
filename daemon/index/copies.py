"""One database file copied into another while it is in use, and whether a file is whole."""

import sqlite3
from contextlib import closing
from enum import StrEnum
from pathlib import Path

from daemon.index.database import BUSY_SECONDS, DatabaseError

DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Condition(StrEnum):
    """What a file is as records: whole, without any table yet or not there, or damaged."""

    SOUND = "sound"
    EMPTY = "empty"
    DAMAGED = "damaged"


def condition_of(file: Path) -> Condition:
    """Read the whole file and judge it, changing nothing in it.

    Raises DatabaseError if the system does not let it be read.
    """
    if not file.exists():
        return Condition.EMPTY
    try:
        with closing(_open_to_read(file)) as connection:
            found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            tables = {name for (name,) in found}
            if not tables:
                return Condition.EMPTY
            verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if _code(error) in DAMAGE:
            return Condition.DAMAGED
        raise DatabaseError(f"A database file cannot be read: {error}.") from error
    is_whole = verdict == ("ok",) and "patients" in tables
    return Condition.SOUND if is_whole else Condition.DAMAGED


def copy_into(source: Path, target: Path) -> None:
    """Copy page by page what is committed in `source`; others may write to it meanwhile.

    The target is one file, with no log beside it; it is not synced. Raises DatabaseError.
    """
    try:
        with closing(_open_to_read(source)) as original, closing(sqlite3.connect(target)) as copy:
            original.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"The records cannot be copied: {error}.") from error


def _open_to_read(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", timeout=BUSY_SECONDS, uri=True)


def _code(error: sqlite3.DatabaseError) -> int:
    """The primary code of SQLite's error, without what it adds in the higher bits."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def newest_entry_of(file: Path) -> tuple[int, str] | None:
    """Number and hash of the last entry of a copy's audit; None if it has none to compare."""
    try:
        with closing(_open_to_read(file)) as connection:
            row = connection.execute(
                "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1"
            ).fetchone()
    except sqlite3.DatabaseError:  # older than the audit, or damaged, which others look after
        return None
    return (int(row[0]), str(row[1])) if row else None
