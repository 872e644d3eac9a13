"""The queue: which drop is next, who holds it, what people change in it, and its listing."""

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass

from daemon.drops import STUDY_MARK, DropKind, QueuedDrop, State
from daemon.index.database import Database, now
from daemon.index.ledger import queued
from daemon.outputs.catalogue import text

LONGEST_DELAY = 3600.0  # seconds until a retry; one further away means that the clock was set back
FAIR_TURN = 4  # every so many claims the oldest drop is next, so that none waits for ever
LEASE_SECONDS = 60.0
_WEIGHTS = "json_extract(report, '$.model.weights_sha256')"  # as the index on it says
_OLDER = (
    f"({_WEIGHTS} < ?1 OR {_WEIGHTS} > ?1) AND removed_at IS NULL AND revision ="
    " (SELECT max(revision) FROM scans newer WHERE newer.scan_id = scans.scan_id)"
)
_OTHER_WORK = (
    "SELECT 1 FROM drops o WHERE o.patient_id = drops.patient_id AND o.state = 'waiting'"
    " AND o.rested AND o.kind != 'compare'"
)


async def claim_next(
    index: Database, owner: str = "", seconds: float = LEASE_SECONDS, urgent_only: bool = False
) -> QueuedDrop | None:
    """Take the next rested drop and count the attempt; None if none is ready, or if paused.

    Urgent ones first, then what arrived last; at every fourth turn what was seen first. Two
    drops of one patient never run at the same time: one may be a later part of the other.
    Scans are compared anew when nothing else of their patient waits: that may change it again.
    """
    async with index.transaction():
        if await switch(index, "paused"):
            return None
        turn = await switch(index, "turn")
        fair = turn % FAIR_TURN == FAIR_TURN - 1
        order = "drop_id" if fair else "urgent DESC, arrived_ns DESC, drop_id"
        moment = time.time()
        row = await index.row(
            "UPDATE drops SET state = 'running', attempts = attempts + 1, started_at = ?,"
            " owner = ?, token = token + 1, lease_until = ?, cancelled = 0, at_once = 0"
            " WHERE drop_id = (SELECT drop_id FROM drops WHERE state = 'waiting' AND rested"
            " AND (not_before <= ? OR not_before > ?) AND (urgent OR NOT ?) AND patient_id"
            " NOT IN (SELECT patient_id FROM drops WHERE state = 'running')"
            f" AND NOT (kind = 'compare' AND EXISTS ({_OTHER_WORK})) ORDER BY {order}"
            " LIMIT 1) RETURNING *",
            (now(), owner, moment + seconds, moment, moment + LONGEST_DELAY, urgent_only),
        )
        if row:
            await _set(index, "turn", turn + 1)
    return await queued(index, row) if row else None


async def seconds_to_next(index: Database) -> float | None:
    """How long until a drop that waits for its next attempt may be claimed; None without any."""
    row = await index.row(
        "SELECT min(not_before) AS at FROM drops WHERE state = 'waiting' AND rested"
    )
    if row is None or row["at"] is None:
        return None
    return min(max(0.0, float(row["at"]) - time.time()), LONGEST_DELAY)


async def beat(index: Database, owner: str, seconds: float) -> None:
    """The owner is alive: its leases go on."""
    async with index.transaction():
        await index.change(
            "UPDATE drops SET lease_until = ? WHERE owner = ? AND state = 'running'",
            (time.time() + seconds, owner),
        )


async def put_back_expired(index: Database, owner: str) -> int:
    """Drops whose holder, another than this one, has not shown itself for too long wait again."""
    async with index.transaction():
        return await index.change(
            "UPDATE drops SET state = 'waiting',"
            " rested = (kind IN ('again', 'compare', 'correct')), owner = NULL"
            " WHERE state = 'running' AND owner IS NOT ? AND lease_until < ?",
            (owner, time.time()),
        )


async def asked_to_cancel(index: Database) -> set[int]:
    """The running drops that somebody wants to end."""
    rows = await index.rows("SELECT drop_id FROM drops WHERE state = 'running' AND cancelled")
    return {int(row["drop_id"]) for row in rows}


async def pause(index: Database, paused: bool) -> None:
    """Hand out nothing more, or go on; what runs already runs to its end."""
    async with index.transaction():
        await _set(index, "paused", int(paused))


async def make_urgent(index: Database, drop_ids: Iterable[int]) -> int:
    """Waiting drops go first; how many of them still wait."""
    async with index.transaction():
        return await _each(
            index, "UPDATE drops SET urgent = 1 WHERE drop_id = ? AND state = 'waiting'", drop_ids
        )


async def rest_no_longer(index: Database, drop_ids: Iterable[int]) -> int:
    """A wish that the daemon's next look grants: these begin as they are; how many still rested."""
    async with index.transaction():
        return await _each(
            index,
            "UPDATE drops SET at_once = 1 WHERE drop_id = ? AND state = 'waiting' AND NOT rested",
            drop_ids,
        )


async def wanted_at_once(index: Database) -> set[int]:
    """The waiting drops that somebody wants to begin as they are."""
    rows = await index.rows("SELECT drop_id FROM drops WHERE state = 'waiting' AND at_once")
    return {int(row["drop_id"]) for row in rows}


async def cancel(index: Database, drop_ids: Iterable[int]) -> int:
    """Waiting drops are rejected, running ones are marked for the daemon; how many it were."""
    numbers = list(drop_ids)
    async with index.transaction():
        running = await _each(
            index, "UPDATE drops SET cancelled = 1 WHERE drop_id = ? AND state = 'running'", numbers
        )
        return running + await _each(
            index,
            "UPDATE drops SET state = 'rejected', reason = ?2, ended_at = ?3"
            " WHERE drop_id = ?1 AND state = 'waiting'",
            numbers,
            text("intake.cancelled"),
            now(),
        )


async def add_reprocessing(index: Database, scan_id: str, patient_id: str) -> bool:
    """Queue a published scan for another analysis; False if it is queued already."""
    unit = STUDY_MARK + scan_id.encode()
    async with index.transaction():
        added = await index.row(
            "INSERT INTO drops (unit, patient_id, kind, state, rested, seen_at, scan_id)"
            " VALUES (?, ?, ?, 'waiting', 1, ?, ?) ON CONFLICT DO NOTHING RETURNING drop_id",
            (unit, patient_id, DropKind.AGAIN, now(), scan_id),
        )
    return added is not None


async def add_reprocessing_of_older(index: Database, weights_sha256: str) -> int:
    """Queue every scan of other weights; how many were not queued yet."""
    async with index.transaction():
        rows = await index.rows(
            "INSERT INTO drops (unit, patient_id, kind, state, rested, seen_at, scan_id)"
            " SELECT CAST(char(0) || scan_id AS BLOB), patient_id, ?2, 'waiting', 1, ?3, scan_id"
            f" FROM scans WHERE {_OLDER} ON CONFLICT DO NOTHING RETURNING drop_id",
            (weights_sha256, DropKind.AGAIN, now()),
        )
    return len(rows)


async def count_older(index: Database, weights_sha256: str) -> int:
    """How many scans other weights analyzed last, and still have their files."""
    row = await index.row(f"SELECT count(*) AS n FROM scans WHERE {_OLDER}", (weights_sha256,))
    return int(row["n"]) if row else 0


async def rejected(index: Database, drop_id: int) -> list[tuple[bytes, bytes | None]] | None:
    """Path and present place of each file of a rejected drop; None if it is no such drop."""
    row = await index.row(
        "SELECT 1 FROM drops WHERE drop_id = ? AND state = 'rejected'", (drop_id,)
    )
    if row is None:
        return None
    rows = await index.rows("SELECT path, aside FROM files WHERE drop_id = ?", (drop_id,))
    return [(row["path"], row["aside"]) for row in rows]


async def correct_again(index: Database, drop_id: int) -> bool:
    """Queue a corrected mask that was rejected once more; False if it is no such drop."""
    async with index.transaction():
        row = await index.row(
            "DELETE FROM drops WHERE drop_id = ? AND state = 'rejected' AND kind = 'correct'"
            " RETURNING unit, patient_id",
            (drop_id,),
        )
        if row is not None:
            await index.change(
                "INSERT INTO drops (unit, patient_id, kind, state, rested, seen_at)"
                " VALUES (?, ?, 'correct', 'waiting', 1, ?)",
                (row["unit"], row["patient_id"], now()),
            )
    return row is not None


async def forget_rejected(index: Database, drop_id: int) -> None:
    """The files of a rejected drop are back in the inbox, where they are a new drop."""
    async with index.transaction():
        await index.change("DELETE FROM drops WHERE drop_id = ? AND state = 'rejected'", (drop_id,))


async def drops_of_scan(index: Database, scan_id: str) -> list[int]:
    """The drops that a scan came from, newest first."""
    rows = await index.rows(
        "SELECT drop_id FROM drops WHERE scan_id = ? ORDER BY drop_id DESC", (scan_id,)
    )
    return [int(row["drop_id"]) for row in rows]


async def count_done(index: Database, scan_id: str) -> int:
    """How many drops made a scan: one for each of its revisions."""
    row = await index.row(
        "SELECT count(*) AS n FROM drops WHERE scan_id = ? AND state = 'done'", (scan_id,)
    )
    return int(row["n"]) if row else 0


async def have_come(index: Database, scan_id: str, hashes: Iterable[str]) -> bool:
    """Whether files with all these SHA-256 were dropped for the scan before."""
    rows = await index.rows(
        "SELECT sha256 FROM files WHERE drop_id IN (SELECT drop_id FROM drops WHERE scan_id = ?"
        " AND state = 'done') AND sha256 IS NOT NULL",
        (scan_id,),
    )
    return set(hashes) <= {str(row["sha256"]) for row in rows}


async def switch(index: Database, name: str) -> int:
    """The value of a switch; 0 if it was never set."""
    row = await index.row("SELECT value FROM switches WHERE name = ?", (name,))
    return int(row["value"]) if row else 0


async def set_switch(index: Database, name: str, value: int) -> None:
    """Set a switch that others read, such as `disk_low`."""
    async with index.transaction():
        await _set(index, name, value)


async def _set(index: Database, name: str, value: int) -> None:
    await index.change(
        "INSERT INTO switches VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        (name, value),
    )


async def _each(index: Database, sql: str, drop_ids: Iterable[int], *values: str) -> int:
    return sum([await index.change(sql, (drop_id, *values)) for drop_id in drop_ids])


async def has_open_drop(index: Database, patient_id: str) -> bool:
    """Whether files of a patient wait or are being analyzed."""
    row = await index.row(
        "SELECT 1 FROM drops WHERE patient_id = ? AND state IN ('waiting', 'running')"
        " AND kind NOT IN ('again', 'compare')",
        (patient_id,),
    )
    return row is not None


PAGE = 50
RECENT = 20  # scans from which it is told how long one takes

_COLUMNS = (
    "drop_id, patient_id, kind, state, urgent, attempts, seen_at, started_at, touched, reason"
)
_IN_LINE = "(state = 'running' OR (state = 'waiting' AND rested))"
_RESTING = "state = 'waiting' AND NOT rested"
_FAILED = "state = 'rejected'"


@dataclass(frozen=True)
class Line:
    """One drop in a list. seen_at, started_at: UTC, ISO 8601; touched: Unix seconds."""

    number: int
    patient_id: str
    kind: str
    state: State
    urgent: bool
    attempts: int
    seen_at: str
    started_at: str
    touched: float
    reason: str


@dataclass(frozen=True)
class Counts:
    """How many drops run, wait their turn, still rest, and failed."""

    running: int
    waiting: int
    resting: int
    failed: int


async def in_line(index: Database, page: int) -> list[Line]:
    """What runs, then what waits in the order of `claim_next`; at every fourth turn it differs."""
    order = "state, urgent DESC, arrived_ns DESC, drop_id"  # 'running' before 'waiting'
    return await _lines(index, _IN_LINE, order, page)


async def resting(index: Database, page: int) -> list[Line]:
    """What still rests, the oldest first."""
    return await _lines(index, _RESTING, "drop_id", page)


async def failed(index: Database, page: int) -> list[Line]:
    """What was rejected, the newest first."""
    return await _lines(index, _FAILED, "drop_id DESC", page)


async def failed_numbers(index: Database, limit: int) -> list[int]:
    """The numbers of what was rejected last."""
    sql = f"SELECT drop_id FROM drops WHERE {_FAILED} ORDER BY drop_id DESC LIMIT ?"
    return [int(row["drop_id"]) for row in await index.rows(sql, (limit,))]


async def counts(index: Database) -> Counts:
    """How long each list is."""
    rows = await index.rows(
        "SELECT state, rested, count(*) AS n FROM drops"
        " WHERE state IN ('waiting', 'running', 'rejected') GROUP BY state, rested"
    )

    def sum_of(state: State, rested: bool | None = None) -> int:
        alike = [row for row in rows if row["state"] == state]
        return sum(row["n"] for row in alike if rested is None or bool(row["rested"]) is rested)

    return Counts(
        sum_of(State.RUNNING),
        sum_of(State.WAITING, rested=True),
        sum_of(State.WAITING, rested=False),
        sum_of(State.REJECTED),
    )


async def seconds_a_scan(index: Database) -> float | None:
    """How long the last scans took from their start to their end, on average; None without any."""
    row = await index.row(
        "SELECT avg((julianday(ended_at) - julianday(started_at)) * 86400) AS seconds FROM"
        " (SELECT started_at, ended_at FROM drops WHERE state = 'done' AND kind != 'compare'"
        f" ORDER BY drop_id DESC LIMIT {RECENT})"
    )
    return None if row is None or row["seconds"] is None else float(row["seconds"])


async def _lines(index: Database, where: str, order: str, page: int) -> list[Line]:
    rows = await index.rows(
        f"SELECT {_COLUMNS} FROM drops WHERE {where} ORDER BY {order} LIMIT {PAGE} OFFSET ?",
        (max(0, page) * PAGE,),
    )
    return [_line(row) for row in rows]


def _line(row: sqlite3.Row) -> Line:
    return Line(
        number=row["drop_id"],
        patient_id=row["patient_id"],
        kind=row["kind"],
        state=State(row["state"]),
        urgent=bool(row["urgent"]),
        attempts=row["attempts"],
        seen_at=row["seen_at"],
        started_at=row["started_at"] or "",
        touched=row["touched"],
        reason=row["reason"] or "",
    )
