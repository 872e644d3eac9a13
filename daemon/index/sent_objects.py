"""What goes to which archive, and what became of it; derived from results, reviews, journals."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from daemon.index.commitments import (
    Commitment,
    CommitmentNote,
    count_commitments,
    enter_commitments,
)
from daemon.index.database import Database, now


class SendState(StrEnum):
    """failed: it will be tried again; given_up: not before a person asks for it."""

    WAITING = "waiting"
    FAILED = "failed"
    SENT = "sent"
    GIVEN_UP = "given_up"


@dataclass(frozen=True)
class Outgoing:
    """One file for one destination. revision: 0 = made beside the result; kind: seg, sr, sc, pdf,
    ko or fhir; path: below the outbox."""

    sha256: str
    scan_id: str
    revision: int
    kind: str
    path: bytes


@dataclass(frozen=True)
class SentObject:
    """A row. code, reason: of the last answer, '' before any; the reason is the key of a
    sentence. wanted_at, ended_at: UTC, ISO 8601. commitment_code: why it was refused."""

    number: int
    destination: str
    sha256: str
    scan_id: str
    revision: int
    kind: str
    path: bytes
    state: SendState
    tries: int
    code: str
    reason: str
    wanted_at: str
    ended_at: str | None
    commitment: Commitment
    commitment_code: str


@dataclass(frozen=True)
class StoredNote:
    """A line of a journal: these bytes are in the archive. at: UTC, ISO 8601."""

    at: str
    sha256: str
    scan_id: str
    revision: int
    kind: str
    code: str
    reason: str


@dataclass(frozen=True)
class Failure:
    """What becomes of an object that was not taken. pause: seconds before it may be tried again;
    code, reason: of the answer."""

    state: SendState
    tries: int
    pause: float
    code: str
    reason: str


@dataclass(frozen=True)
class Unentered:
    """A result whose objects were not looked at for a destination."""

    scan_id: str
    revision: int
    folder: bytes
    published_at: str


@dataclass(frozen=True)
class DestinationCounts:
    """How many objects are in each state; oldest_wanted_at: of those not sent, '' without any;
    code, reason: why it cannot be reached, '' where it can; commitments: of those sent."""

    name: str
    states: dict[SendState, int]
    oldest_wanted_at: str
    code: str = ""
    reason: str = ""
    commitments: dict[Commitment, int] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        """Those that are to go still."""
        return self.states[SendState.WAITING] + self.states[SendState.FAILED]


_COLUMNS = (
    "number, destination, sha256, scan_id, revision, kind, path, state, tries, code, reason,"
    " wanted_at, ended_at, commitment, commitment_code"
)
_OPEN = "state IN ('waiting', 'failed')"
_SAME_SCAN = (  # messages about the same scan for the same server
    "FROM sent_objects o WHERE o.destination = s.destination AND o.scan_id = s.scan_id"
    " AND o.kind = 'fhir'"
)
_IN_TURN = (
    f"(kind != 'fhir' OR NOT EXISTS (SELECT 1 {_SAME_SCAN} AND o.number < s.number"
    " AND o.state IN ('waiting', 'failed')))"
)
_NOT_OUTDATED = f"(kind != 'fhir' OR NOT EXISTS (SELECT 1 {_SAME_SCAN} AND o.number > s.number))"


async def unentered_since(index: Database, destination: str, moment: str) -> list[Unentered]:
    """Results that were published since then and are new for a destination, oldest first."""
    return await _unentered(index, destination, "published_at >= ?", moment)


async def unentered_of_scan(index: Database, destination: str, scan_id: str) -> list[Unentered]:
    """The results of one scan that are new for a destination, oldest first."""
    return await _unentered(index, destination, "scan_id = ?", scan_id)


async def _unentered(index: Database, destination: str, which: str, value: str) -> list[Unentered]:
    rows = await index.rows(
        "SELECT scan_id, revision, folder, published_at FROM scans s"
        f" WHERE {which} AND removed_at IS NULL AND NOT EXISTS (SELECT 1 FROM sent_results r"
        " WHERE r.destination = ? AND r.folder = s.folder)"
        " ORDER BY published_at, scan_id, revision",
        (value, destination),
    )
    return [Unentered(*row) for row in rows]


async def enter_objects(
    index: Database, destination: str, folder: bytes, objects: Sequence[Outgoing]
) -> None:
    """A folder's objects wait from now on, but those whose bytes the destination has or awaits.

    folder: noted as entered; empty for what may grow.
    """
    async with index.transaction():
        await index.change_many(
            "INSERT INTO sent_objects (destination, sha256, scan_id, revision, kind, path, state,"
            " wanted_at) VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?) ON CONFLICT (destination, sha256)"
            " DO UPDATE SET path = excluded.path WHERE length(path) = 0",
            [
                (destination, o.sha256, o.scan_id, o.revision, o.kind, o.path, now())
                for o in objects
            ],
        )
        if folder:
            await index.change(
                "INSERT OR IGNORE INTO sent_results VALUES (?, ?)", (destination, folder)
            )


async def is_entered(index: Database, destination: str, scan_id: str) -> bool:
    """Whether a destination gets anything of a scan."""
    row = await index.row(
        "SELECT 1 FROM sent_objects WHERE scan_id = ? AND destination = ? LIMIT 1",
        (scan_id, destination),
    )
    return row is not None


async def due_objects(index: Database, destination: str, limit: int) -> list[SentObject]:
    """What may be tried now, oldest first. Of one scan's messages the next waits for the one
    before, since each says how the scan stands."""
    rows = await index.rows(
        f"SELECT {_COLUMNS} FROM sent_objects s WHERE destination = ? AND {_OPEN}"
        f" AND next_try <= ? AND {_IN_TURN} ORDER BY number LIMIT ?",
        (destination, time.time(), limit),
    )
    return [_object(row) for row in rows]


async def note_failure(index: Database, number: int, failure: Failure) -> None:
    """A try has failed."""
    ended = now() if failure.state is SendState.GIVEN_UP else None
    next_try = time.time() + failure.pause
    async with index.transaction():
        await index.change(
            "UPDATE sent_objects SET state = ?, tries = ?, next_try = ?, code = ?, reason = ?,"
            " ended_at = ? WHERE number = ?",
            (
                *(failure.state, failure.tries, next_try, failure.code, failure.reason),
                *(ended, number),
            ),
        )


async def journal_bytes(index: Database, destination: str) -> int:
    """How much of a destination's journal was entered."""
    row = await index.row(
        "SELECT journal_bytes FROM sent_destinations WHERE destination = ?", (destination,)
    )
    return int(row[0]) if row else 0


async def enter_stored(
    index: Database,
    destination: str,
    notes: Sequence[StoredNote | CommitmentNote],
    entered: int,
) -> None:
    """What the journal tells, with how many bytes of it are entered then.

    A row that a person wanted again after that note stays as it is.
    """
    async with index.transaction():
        await index.change_many(
            "INSERT INTO sent_objects (destination, sha256, scan_id, revision, kind, path, state,"
            " code, reason, wanted_at, ended_at) VALUES (?1, ?2, ?3, ?4, ?5, x'', 'sent', ?6, ?7,"
            " ?8, ?8) ON CONFLICT (destination, sha256) DO UPDATE SET state = 'sent',"
            " code = excluded.code, reason = excluded.reason, ended_at = excluded.ended_at,"
            " commitment = '', commitment_code = '', commitment_at = NULL, transaction_uid = ''"
            " WHERE wanted_at <= excluded.ended_at",
            [
                (destination, n.sha256, n.scan_id, n.revision, n.kind, n.code, n.reason, n.at)
                for n in notes
                if isinstance(n, StoredNote)
            ],
        )
        said = [each for each in notes if isinstance(each, CommitmentNote)]
        await enter_commitments(index, destination, said)
        await index.change(
            "INSERT INTO sent_destinations (destination, journal_bytes) VALUES (?, ?)"
            " ON CONFLICT (destination) DO UPDATE SET journal_bytes = excluded.journal_bytes",
            (destination, entered),
        )


async def note_reach(index: Database, destination: str, code: str, reason: str) -> None:
    """Why a destination cannot be reached; '' for both: it can."""
    async with index.transaction():
        await index.change(
            "INSERT INTO sent_destinations (destination, code, reason, noted_at)"
            " VALUES (?, ?, ?, ?) ON CONFLICT (destination) DO UPDATE SET code = excluded.code,"
            " reason = excluded.reason, noted_at = excluded.noted_at",
            (destination, code, reason, now()),
        )


async def wish(index: Database, scan_id: str) -> None:
    """A person wants a scan sent again, or all that waits sent now: ''."""
    async with index.transaction():
        await index.change(
            "INSERT INTO sent_wishes (scan_id, wished_at) VALUES (?, ?)", (scan_id, now())
        )


async def wishes(index: Database) -> list[tuple[int, str]]:
    """Number and scan of each wish, in their order."""
    rows = await index.rows("SELECT number, scan_id FROM sent_wishes ORDER BY number")
    return [(row[0], row[1]) for row in rows]


async def grant(index: Database, number: int, scan_id: str) -> None:
    """A wish is met: the scan's objects, or all that wait, may be tried at once; of its messages
    the last one, and those before it that were never taken are forgotten."""
    async with index.transaction():
        if scan_id:
            await index.change(
                "DELETE FROM sent_objects AS s WHERE scan_id = ? AND state != 'sent'"
                f" AND NOT {_NOT_OUTDATED}",
                (scan_id,),
            )
            await index.change(
                "UPDATE sent_objects AS s SET state = 'waiting', tries = 0, next_try = 0,"
                f" wanted_at = ?, ended_at = NULL WHERE scan_id = ? AND {_NOT_OUTDATED}",
                (now(), scan_id),
            )
        else:
            await index.change(f"UPDATE sent_objects SET next_try = 0 WHERE {_OPEN}")
        await index.change("DELETE FROM sent_wishes WHERE number = ?", (number,))


async def objects_of_scan(index: Database, scan_id: str) -> list[SentObject]:
    """All that was to go of a scan, in that order."""
    rows = await index.rows(
        f"SELECT {_COLUMNS} FROM sent_objects WHERE scan_id = ? ORDER BY destination, number",
        (scan_id,),
    )
    return [_object(row) for row in rows]


async def count_sent(index: Database, names: Iterable[str]) -> list[DestinationCounts]:
    """For each destination of the settings, in their order."""
    counted = await index.rows(
        "SELECT destination, state, count(*) AS n FROM sent_objects GROUP BY 1, 2"
    )
    oldest = await index.rows(
        f"SELECT destination, min(wanted_at) AS at FROM sent_objects WHERE {_OPEN} GROUP BY 1"
    )
    reach = await index.rows("SELECT destination, code, reason FROM sent_destinations")
    promised = await count_commitments(index)
    waits = {row["destination"]: row["at"] for row in oldest}
    away = {row["destination"]: (row["code"], row["reason"]) for row in reach}
    found = []
    for name in names:
        its = {SendState(row["state"]): row["n"] for row in counted if row["destination"] == name}
        states = {state: its.get(state, 0) for state in SendState}
        code, reason = away.get(name, ("", ""))
        found.append(
            DestinationCounts(
                name=name,
                states=states,
                oldest_wanted_at=waits.get(name, ""),
                code=code,
                reason=reason,
                commitments=promised.get(name, {}),
            )
        )
    return found


async def data_version(index: Database) -> int:
    """A number that differs once another connection has committed (PRAGMA data_version)."""
    row = await index.row("PRAGMA data_version")
    return int(row[0]) if row else 0


def _object(row: Sequence[object]) -> SentObject:
    values = list(row)
    values[7] = SendState(str(values[7]))
    values[13] = Commitment(str(values[13]))
    return SentObject(*values)  # type: ignore[arg-type]
