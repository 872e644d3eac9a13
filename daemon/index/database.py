"""Opening the two SQLite files, bringing them to their newest shape, and transactions on them."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiosqlite

from daemon.index.folding import fold
from daemon.index.migrations import INDEX
from daemon.index.records_migrations import RECORDS
from model.errors import GliowatchError

BUSY_SECONDS = 60.0
CACHE_KIB = 8192  # of a connection; SQLite's own 2 MiB are fewer than a page of the viewer reads


class DatabaseError(GliowatchError):
    """A database file cannot be opened, or was made by a newer gliowatch."""


class Database:
    """One connection, shared by the coroutines of a process; transactions go one at a time."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    async def rows(self, sql: str, values: Iterable[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        return list(await self._connection.execute_fetchall(sql, tuple(values)))

    async def row(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None. All are read: it must be one that has few.

        One turn of the connection's thread and not three, as for a cursor: pages ask many of these.
        """
        return next(iter(await self.rows(sql, values)), None)

    async def change(self, sql: str, values: Iterable[Any] = ()) -> int:
        """Run one statement; how many rows it changed, or the new rowid of an INSERT."""
        async with self._connection.execute(sql, tuple(values)) as cursor:
            is_insert = sql.lstrip()[:6].upper() == "INSERT"
            return int((cursor.lastrowid if is_insert else cursor.rowcount) or 0)

    async def change_many(self, sql: str, values: Iterable[Iterable[Any]]) -> None:
        """Run one statement for each tuple of values."""
        await self._connection.executemany(sql, [tuple(each) for each in values])

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All or nothing: commit at the end, roll back on any error. Not to be nested."""
        async with self._lock:
            try:
                await self._connection.execute("BEGIN IMMEDIATE")
                yield
            except BaseException:
                await self._connection.rollback()
                raise
            await self._connection.commit()


@asynccontextmanager
async def open_index(path: Path) -> AsyncIterator[Database]:
    """The index: queue and findings, derived from inbox and outbox."""
    async with _open(path, INDEX) as database:
        yield database


@asynccontextmanager
async def open_records(path: Path) -> AsyncIterator[Database]:
    """The records: what people entered."""
    async with _open(path, RECORDS) as database:
        yield database


def is_damaged(path: Path) -> bool:
    """Whether a database file is there and SQLite finds pages of it wrong (PRAGMA quick_check)."""
    if not path.exists() or not path.stat().st_size:
        return False
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.OperationalError:  # locked, or not to be opened: that tells nothing of pages
        return False
    except sqlite3.DatabaseError:
        return True


def now() -> str:
    """The time as the databases keep it: UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@asynccontextmanager
async def _open(path: Path, steps: tuple[str, ...]) -> AsyncIterator[Database]:
    try:
        await asyncio.to_thread(_make_private, path)
        async with aiosqlite.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None
        ) as connection:
            connection.row_factory = aiosqlite.Row
            await connection.create_function("fold", 1, fold, deterministic=True)
            database = Database(connection)
            await _prepare(connection, database, steps)
            yield database
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"A database file cannot be used: {error}.") from error


def _make_private(path: Path) -> None:
    """A new database file is for its owner alone: patients are in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)


async def _prepare(
    connection: aiosqlite.Connection, database: Database, steps: tuple[str, ...]
) -> None:
    """Write-ahead log, full sync, foreign keys; then the steps that this file has not had."""
    pragmas = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
    for pragma in (*pragmas, f"cache_size = -{CACHE_KIB}"):
        await connection.execute(f"PRAGMA {pragma}")
    if await _version(database) == len(steps):
        return
    async with database.transaction():
        version = await _version(database)  # again: another process may have been first
        if version > len(steps):
            raise DatabaseError("A database file was made by a newer version of gliowatch.")
        for step in steps[version:]:
            for statement in _statements(step):
                await connection.execute(statement)
        await connection.execute(f"PRAGMA user_version = {len(steps)}")


def _statements(step: str) -> Iterator[str]:
    """The statements of a step; one that holds others, as a trigger does, stays whole."""
    statement = ""
    for part in step.split(";"):
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


async def _version(database: Database) -> int:
    row = await database.row("PRAGMA user_version")
    return int(row[0]) if row else 0
