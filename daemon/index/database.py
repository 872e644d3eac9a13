"""The two SQLite files: opened, migrated, joined, copied, checked; and transactions on them.

It may write to the index; the records are attached read-only, so no transaction spans both.
"""

import asyncio
import contextlib
import sqlite3
import unicodedata
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import aiosqlite

from daemon.drops import shown_id
from daemon.index.migrations import INDEX, RECORDS
from daemon.outputs.catalogue import text
from daemon.safe_files import sync_file
from model.errors import GliowatchError

LAST_LETTER = "\U0010ffff"  # what follows all that begins with a text


def fold(text: str) -> str:
    """Without case and accents, so that "muller" finds "Müller"."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))


BUSY_SECONDS = 60.0  # that the daemon waits for who locks a file; a person does not wait so long
CACHE_KIB = 8192  # of a connection; SQLite's own 2 MiB are fewer than a page of the viewer reads


class DatabaseError(GliowatchError):
    """A database file cannot be opened, or was made by a newer gliowatch."""


class Locked(GliowatchError):
    """Another program keeps a database file to itself for longer than one waits for it."""

    def __init__(self) -> None:
        super().__init__(text("database_fault.locked"))


class Database:
    """One connection, shared by the coroutines of a process; transactions go one at a time.

    reading: a connection of its own for what is asked outside of transactions, so that who only
    reads waits for nobody who writes, in this process or in another; without it both are one.
    """

    def __init__(
        self,
        connection: aiosqlite.Connection,
        reading: aiosqlite.Connection | None = None,
        patience: float = BUSY_SECONDS,
    ) -> None:
        self._connection, self._reading = connection, reading or connection
        self._patience = patience
        self._lock = asyncio.Lock()
        self._writer: asyncio.Task[Any] | None = None

    @property
    def writing(self) -> aiosqlite.Connection:
        """The connection that writes."""
        return self._connection

    async def rows(self, sql: str, values: Iterable[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        is_inside = self._writer is not None and self._writer is asyncio.current_task()
        connection = self._connection if is_inside else self._reading
        with _locks_told():
            return list(await connection.execute_fetchall(sql, tuple(values)))

    async def row(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None. All are read: it must be one that has few.

        One turn of the connection's thread and not three, as for a cursor: pages ask many of these.
        """
        return next(iter(await self.rows(sql, values)), None)

    async def change(self, sql: str, values: Iterable[Any] = ()) -> int:
        """Run one statement; how many rows it changed, or the new rowid of an INSERT."""
        with _locks_told():
            return await self._change(sql, values)

    async def _change(self, sql: str, values: Iterable[Any]) -> int:
        async with self._connection.execute(sql, tuple(values)) as cursor:
            is_insert = sql.lstrip()[:6].upper() == "INSERT"
            return int((cursor.lastrowid if is_insert else cursor.rowcount) or 0)

    async def change_many(self, sql: str, values: Iterable[Iterable[Any]]) -> None:
        """Run one statement for each tuple of values."""
        await self._connection.executemany(sql, [tuple(each) for each in values])

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All or nothing: commit at the end, roll back on any error. Not to be nested."""
        async with self._turn():
            try:
                with _locks_told():
                    await self._connection.execute("BEGIN IMMEDIATE")
                self._writer = asyncio.current_task()
                yield
            except BaseException:
                await self._connection.rollback()
                raise
            finally:
                self._writer = None
            await self._connection.commit()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Who waits in this process for others' transactions does not wait longer either."""
        try:
            async with asyncio.timeout(self._patience):
                await self._lock.acquire()
        except TimeoutError:
            raise Locked from None
        try:
            yield
        finally:
            self._lock.release()


@contextlib.contextmanager
def _locks_told() -> Iterator[None]:
    """Locked, for SQLite's own words."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if _code(error) in LOCKS:
            raise Locked from error
        raise


@asynccontextmanager
async def open_index(path: Path) -> AsyncIterator[Database]:
    """The index: queue and findings, derived from inbox and outbox. Made where it is not there."""
    async with _open(path, INDEX) as database:
        yield database


@asynccontextmanager
async def open_unfinished(path: Path) -> AsyncIterator[Database]:
    """An index that is being made again: nothing waits for the disk until all of it is there."""
    async with _open(path, INDEX) as database:
        await database.change("PRAGMA synchronous = OFF")
        yield database
    await asyncio.to_thread(sync_file, path)


@asynccontextmanager
async def open_records(
    path: Path, patience: float = BUSY_SECONDS, reads_apart: bool = False
) -> AsyncIterator[Database]:
    """The records: what people entered. patience: seconds that one waits for who locks them.

    reads_apart: who only reads does so on a connection of its own.
    """
    async with _open(path, RECORDS, patience) as database:
        if not reads_apart:
            yield database
            return
        async with _connect(path, patience) as reading:
            await reading.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            await reading.execute("PRAGMA query_only = ON")
            yield Database(database.writing, reading, patience)


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
async def _open(
    path: Path, steps: tuple[str, ...], patience: float = BUSY_SECONDS
) -> AsyncIterator[Database]:
    try:
        await asyncio.to_thread(_make_private, path)
        async with _connect(path) as connection:  # at the start one waits, for a step as well
            database = Database(connection, patience=patience)
            await _prepare(connection, database, steps)
            await connection.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")
            yield database
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"A database file cannot be used: {error}.") from error


@asynccontextmanager
async def _connect(
    path: Path, patience: float = BUSY_SECONDS
) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(path, timeout=patience, isolation_level=None) as connection:
        connection.row_factory = aiosqlite.Row
        await connection.create_function("fold", 1, fold, deterministic=True)
        await connection.create_function("shown_id", 1, shown_id, deterministic=True)
        yield connection


def _make_private(path: Path) -> None:
    """A new database file is for its owner alone: patients are in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)


async def _prepare(
    connection: aiosqlite.Connection, database: Database, steps: tuple[str, ...]
) -> None:
    """Write-ahead log, full sync, foreign keys; then the steps that this file has not had.

    What is deleted is overwritten, since patients are in it: not every SQLite does so by itself.
    """
    pragmas = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
    for pragma in (*pragmas, "secure_delete = ON", f"cache_size = -{CACHE_KIB}"):
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


JOINED_CACHE_KIB = 24576  # fifty rows of the worklist lie in some three hundred places of 4 KiB


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


DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
LOCKS = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Condition(StrEnum):
    """What a file is as records: whole, without any table yet or not there, or damaged."""

    SOUND = "sound"
    EMPTY = "empty"
    DAMAGED = "damaged"


def condition_of(file: Path) -> Condition:
    """Read the whole file and analyze it, changing nothing in it.

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


def _code(error: sqlite3.Error) -> int:
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
