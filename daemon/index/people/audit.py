"""The audit: who did what to what, in the records; append-only, each entry hashed with the last.

The hash of an entry is SHA-256 over the hash before it and the entry's own fields, so that none
can be changed, left out or put between without all that follow being wrong. That the last ones
were cut off shows in a nightly copy that has them (`daemon/operations/verify.py`).
"""

import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum

from daemon.index.database import Database, now

BEGINNING = "0" * 64
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
    """Append an entry."""
    async with records.transaction():
        last = await records.row("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
        number, before = (last["number"] + 1, last["hash"]) if last else (1, BEGINNING)
        fields = (number, now(), account, action.value, subject, detail)
        await records.change(
            f"INSERT INTO audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*fields, chained(before, fields)),
        )


def chained(before: str, fields: tuple[object, ...]) -> str:
    """The hash of an entry; before: that of the entry before it."""
    text = json.dumps([before, *fields], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


async def page_of_audit(
    records: Database, before: int | None = None, account: str = "", limit: int = 100
) -> list[Entry]:
    """Entries below the number `before`, of one account or of all, newest first."""
    rows = await records.rows(
        f"SELECT {COLUMNS} FROM audit WHERE number < coalesce(?, 9e18)"
        " AND (? = '' OR account = ?) ORDER BY number DESC LIMIT ?",
        (before, account, account, limit),
    )
    return [_entry(row) for row in rows]


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
