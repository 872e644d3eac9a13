"""Whether archives promise to keep what was sent to them: asked, and what they said."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from daemon.index.database import Database, now


class Commitment(StrEnum):
    """refused: the archive says that it does not keep it; unanswered: it said nothing in time."""

    NONE = ""
    ASKED = "asked"
    COMMITTED = "committed"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


@dataclass(frozen=True)
class CommitmentNote:
    """A line of a journal: what the archive said of these bytes. at: UTC, ISO 8601."""

    at: str
    sha256: str
    commitment: str
    code: str


@dataclass(frozen=True)
class Uncommitted:
    """An object that the archive took. path: below the outbox; ended_at: when it took it."""

    number: int
    sha256: str
    scan_id: str
    path: bytes
    sop_uid: str
    ended_at: str


_COLUMNS = "number, sha256, scan_id, path, sop_uid, ended_at"


async def not_asked(index: Database, destination: str, limit: int) -> list[Uncommitted]:
    """Sent objects that nobody has asked for, oldest first."""
    return await _found(
        index,
        "destination = ? AND state = 'sent' AND commitment = '' AND length(path) > 0"
        " ORDER BY number LIMIT ?",
        (destination, limit),
    )


async def asked_in(index: Database, destination: str, transaction: str) -> list[Uncommitted]:
    """The objects of one question."""
    return await _found(
        index,
        "destination = ? AND transaction_uid = ? AND transaction_uid != '' AND state = 'sent'"
        " ORDER BY number",
        (destination, transaction),
    )


async def unanswered_since(index: Database, destination: str, moment: str) -> list[Uncommitted]:
    """Those that were asked for before a moment, without an answer."""
    return await _found(
        index,
        "destination = ? AND transaction_uid != '' AND state = 'sent' AND commitment = 'asked'"
        " AND commitment_at < ?"
        " ORDER BY number",
        (destination, moment),
    )


async def _found(index: Database, which: str, values: tuple[object, ...]) -> list[Uncommitted]:
    rows = await index.rows(f"SELECT {_COLUMNS} FROM sent_objects WHERE {which}", values)
    return [Uncommitted(*row) for row in rows]


async def note_asked(index: Database, uids: dict[int, str], transaction: str) -> None:
    """The archive was asked for these. uids: SOP Instance UID by number."""
    async with index.transaction():
        await index.change_many(
            "UPDATE sent_objects SET commitment = 'asked', commitment_at = ?, commitment_code = '',"
            " transaction_uid = ?, sop_uid = ? WHERE number = ?",
            [(now(), transaction, uid, number) for number, uid in uids.items()],
        )


async def take_back(index: Database, transaction: str) -> None:
    """A question was not taken: nothing was asked."""
    async with index.transaction():
        await index.change(
            "UPDATE sent_objects SET commitment = '', commitment_at = NULL, transaction_uid = ''"
            " WHERE transaction_uid = ? AND commitment = 'asked'",
            (transaction,),
        )


async def note_unanswered(index: Database, numbers: Sequence[int]) -> None:
    """The time is over; an answer that comes later counts all the same."""
    async with index.transaction():
        await index.change_many(
            "UPDATE sent_objects SET commitment = 'unanswered', commitment_at = ?"
            " WHERE number = ? AND commitment IN ('', 'asked')",
            [(now(), number) for number in numbers],
        )


async def enter_commitments(
    index: Database, destination: str, notes: Sequence[CommitmentNote]
) -> None:
    """What the journal tells of them; not of an object that was sent again since.

    To be called inside a transaction.
    """
    await index.change_many(
        "UPDATE sent_objects SET commitment = ?, commitment_code = ?, commitment_at = ?"
        " WHERE destination = ? AND sha256 = ? AND state = 'sent' AND ended_at <= ?",
        [(n.commitment, n.code, n.at, destination, n.sha256, n.at) for n in notes],
    )


async def count_commitments(index: Database) -> dict[str, dict[Commitment, int]]:
    """By destination, how many of its sent objects are in each state but NONE."""
    rows = await index.rows(
        "SELECT destination, commitment, count(*) FROM sent_objects"
        " WHERE state = 'sent' AND commitment != '' GROUP BY 1, 2"
    )
    found: dict[str, dict[Commitment, int]] = {}
    for destination, commitment, count in rows:
        found.setdefault(destination, {})[Commitment(commitment)] = int(count)
    return found
