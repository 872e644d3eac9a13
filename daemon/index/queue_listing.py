"""The queue as people see it: what runs and waits in its order, what rests, what failed."""

import sqlite3
from dataclasses import dataclass

from daemon.drops import State
from daemon.index.database import Database

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
        row["drop_id"],
        row["patient_id"],
        row["kind"],
        State(row["state"]),
        bool(row["urgent"]),
        row["attempts"],
        row["seen_at"],
        row["started_at"] or "",
        row["touched"],
        row["reason"] or "",
    )
