"""The audit: who did what to what, in the records; append-only, each entry hashed with the last.

The hash of an entry is SHA-256 over the hash before it and the entry's own fields, so that none
can be changed, left out or put between without all that follow being wrong. That the last ones
were cut off shows in a nightly copy that has them (`daemon/operations/verify.py`).

An entry is written in the transaction of the change that it tells, and neither is without the
other (`changing`). What changes the index or the disk stands in a journal first, which becomes the
entry when that is done, or at the next start.
"""

import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from daemon.index.database import Database, now

BEGINNING = "0" * 64
LAST_NUMBER = 2**62
AT_ONCE = 1000  # entries that a check reads at a time


class Action(StrEnum):
    """What is noted."""

    LOGIN = "login"
    LOGIN_REFUSED = "login refused"
    LOGOUT = "logout"
    VIEW = "view"
    DOWNLOAD = "download"
    UPLOAD = "upload"
    REVIEW = "review"
    CHANGE = "change"
    EXPORT = "export"
    DELETE = "delete"
    REFUSED = "refused"


@dataclass(frozen=True)
class Entry:
    """One entry. subject: an opaque id or a kind of page; detail: what exactly, in a word.

    Neither holds a patient's name or id: who may read the audit need not know the patients.
    """

    number: int
    at: str
    account: str
    action: str
    subject: str
    detail: str
    hash: str


COLUMNS = "number, at, account, action, subject, detail, hash"


async def note(
    records: Database, account: str, action: Action, subject: str = "", detail: str = ""
) -> None:
    """Append an entry of something that changes nothing here."""
    async with records.transaction():
        await append(records, account, action, subject, detail)


async def append(
    records: Database, account: str, action: Action, subject: str = "", detail: str = ""
) -> None:
    """Append an entry, inside the transaction of what it tells."""
    last = await records.row("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
    number, before = (last["number"] + 1, last["hash"]) if last else (1, BEGINNING)
    fields = (number, now(), account, action.value, subject, detail)
    await records.change(
        f"INSERT INTO audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*fields, chained(before, fields)),
    )


@dataclass
class Told:
    """An entry that waits for the change of which it tells. by: with which token, if with one."""

    account: str
    action: Action
    subject: str = ""
    detail: str = ""
    is_noted: bool = False
    by: str = ""
    subjects: tuple[str, ...] = ()  # where one change is of several: an entry for each


_TOLD: ContextVar[Told | None] = ContextVar("told", default=None)


@contextmanager
def telling(told: Told) -> Iterator[None]:
    """What changes the records in here first, does so in one transaction with this entry."""
    before = _TOLD.set(told)
    try:
        yield
    finally:
        _TOLD.reset(before)


def each_told(subjects: Iterable[str], detail: str) -> None:
    """The entry that waits becomes one for each of these, which are changed together."""
    told = _TOLD.get()
    if told is not None:
        told.subjects = tuple(subjects)
        told.detail = " ".join(part for part in (detail, told.by) if part)


@asynccontextmanager
async def changing(records: Database) -> AsyncIterator[None]:
    """A transaction for what a person changes: it and the entry that waits stand or fall together.

    Where nothing was changed, the entry goes on waiting.
    """
    told, is_told = _TOLD.get(), False
    async with records.transaction():
        before = await _changed_rows(records)
        yield
        if told and not told.is_noted and await _changed_rows(records) != before:
            for subject in told.subjects or (told.subject,):
                await append(records, told.account, told.action, subject, told.detail)
            is_told = True
    if told and is_told:
        told.is_noted = True


async def _changed_rows(records: Database) -> int:
    row = await records.row("SELECT total_changes() AS count")
    return int(row["count"]) if row else 0


async def begin_entry(records: Database, told: Told) -> int:
    """Note in the journal what is about to be changed elsewhere, in the index or on the disk."""
    async with records.transaction():
        return await records.change(
            "INSERT INTO audit_journal (at, account, action, subject, detail)"
            " VALUES (?, ?, ?, ?, ?)",
            (now(), told.account, told.action, told.subject, told.detail),
        )


async def end_entry(records: Database, number: int, is_done: bool) -> None:
    """It was done, and becomes an entry; or it was not, and nothing is left of it."""
    async with records.transaction():
        await _settle(records, "WHERE number = ?", (number,), is_done, "")


async def settle_journal(records: Database) -> int:
    """At a start: what was begun, and of which nobody noted the end, becomes entries; how many."""
    async with records.transaction():
        return await _settle(records, "", (), True, "begun {at}, its end is not known")


async def _settle(
    records: Database, which: str, values: tuple[int, ...], is_done: bool, remark: str
) -> int:
    rows = await records.rows(f"SELECT * FROM audit_journal {which} ORDER BY number", values)
    for row in rows if is_done else ():
        detail = ", ".join(each for each in (row["detail"], remark.format(at=row["at"])) if each)
        await append(records, row["account"], Action(row["action"]), row["subject"], detail)
    await records.change(f"DELETE FROM audit_journal {which}", values)
    return len(rows)


def chained(before: str, fields: tuple[object, ...]) -> str:
    """The hash of an entry; before: that of the entry before it."""
    text = json.dumps([before, *fields], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class AuditFilter:
    """Which entries; empty values leave all. subjects: ids of scans and of patients.

    since, until: UTC, ISO 8601; until is left out itself.
    """

    account: str = ""
    subjects: tuple[str, ...] | None = None
    since: str = ""
    until: str = ""


async def page_of_audit(
    records: Database,
    before: int | None = None,
    asked: AuditFilter | None = None,
    limit: int = 100,
) -> list[Entry]:
    """Entries below the number `before`, newest first."""
    asked = asked or AuditFilter()
    first, end = await _numbers_between(records, asked.since, asked.until)
    conditions = ["number >= ?", "number < ?"]
    values: list[int | str] = [first, min(before or end, end)]
    if asked.account:
        conditions.append("account = ?")
        values.append(asked.account)
    if asked.subjects is not None:
        conditions.append("subject IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(asked.subjects))
    rows = await records.rows(
        f"SELECT {COLUMNS} FROM audit WHERE {' AND '.join(conditions)}"
        " ORDER BY number DESC LIMIT ?",
        (*values, limit),
    )
    return [_entry(row) for row in rows]


async def _numbers_between(records: Database, since: str, until: str) -> tuple[int, int]:
    """The number of the first entry of a time, and that after its last: both by the index."""
    row = await records.row(
        "SELECT (SELECT number FROM audit WHERE at >= ?1 ORDER BY at LIMIT 1),"
        " (SELECT number FROM audit WHERE at < ?2 ORDER BY at DESC LIMIT 1)",
        (since, until),
    )
    first, last = tuple(row) if row else (None, None)
    end = (last or 0) + 1 if until else LAST_NUMBER
    return (first or LAST_NUMBER) if since else 1, end


async def all_entries(records: Database, first: int = 1) -> AsyncIterator[Entry]:
    """Every entry from the number `first` on, oldest first, read a page at a time."""
    while True:
        rows = await records.rows(
            f"SELECT {COLUMNS} FROM audit WHERE number >= ? ORDER BY number LIMIT ?",
            (first, AT_ONCE),
        )
        for row in rows:
            yield _entry(row)
        if len(rows) < AT_ONCE:
            return
        first = rows[-1]["number"] + 1


async def first_wrong(records: Database) -> int | None:
    """The number of the first entry that does not follow from the one before it; None if all do."""
    before, number = BEGINNING, 0
    async for entry in all_entries(records):
        number += 1
        fields = (number, entry.at, entry.account, entry.action, entry.subject, entry.detail)
        if entry.number != number or entry.hash != chained(before, fields):
            return number
        before = entry.hash
    return None


async def hash_of_entry(records: Database, number: int) -> str | None:
    """The hash of one entry, or None if there is none of that number."""
    row = await records.row("SELECT hash FROM audit WHERE number = ?", (number,))
    return str(row["hash"]) if row else None


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(*(row[name] for name in COLUMNS.split(", ")))
