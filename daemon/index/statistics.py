"""Numbers over the whole index: totals, nights, months and scanners, the daemon's signs of life."""

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from daemon.index.database import Database
from daemon.index.worklist_pages import SHOWN

STAGES = ("read", "segment", "write")


@dataclass(frozen=True)
class Totals:
    """Published scans of one finding, each revision counted, and their summed seconds by stage."""

    finding: str
    scans: int
    seconds: dict[str, float]


async def count_scan(
    index: Database, finding: str, seconds: Mapping[str, float], count: int = 1
) -> None:
    """Add a scan, or several, to the totals; called inside the transaction that enters it.

    A report of the outbox that is taken over may be an old one, without seconds.
    """
    await index.change(
        "INSERT INTO totals VALUES (?, ?, ?, ?, ?) ON CONFLICT (finding) DO UPDATE SET"
        " scans = scans + excluded.scans, read_seconds = read_seconds + excluded.read_seconds,"
        " segment_seconds = segment_seconds + excluded.segment_seconds,"
        " write_seconds = write_seconds + excluded.write_seconds",
        (finding, count, *(seconds.get(stage, 0.0) for stage in STAGES)),
    )


async def totals(index: Database) -> list[Totals]:
    """The totals of each finding that there was."""
    rows = await index.rows("SELECT * FROM totals ORDER BY finding")
    return [
        Totals(row["finding"], row["scans"], {s: float(row[f"{s}_seconds"]) for s in STAGES})
        for row in rows
    ]


async def newest_time(index: Database) -> float | None:
    """When the last scan was published, in Unix seconds, as the clock was then; None without."""
    row = await index.row("SELECT max(published_at) AS at FROM scans")
    if row is None or row["at"] is None:
        return None
    return datetime.fromisoformat(row["at"]).timestamp()


async def oldest_waiting_seconds(index: Database) -> float:
    """How long ago the oldest drop that still waits was seen, in seconds; 0 if none waits."""
    row = await index.row("SELECT min(seen_at) AS seen FROM drops WHERE state = 'waiting'")
    if row is None or row["seen"] is None:
        return 0.0
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(row["seen"])).total_seconds())


_DONE = "state = 'done' AND kind != 'compare' AND ended_at >= ?1 AND ended_at < ?2"
_SECONDS = "(julianday(ended_at) - julianday(coalesce(rested_at, seen_at))) * 86400"


@dataclass(frozen=True)
class Night:
    """One night. begin, end: UTC, ISO 8601, as the index keeps times.

    received and what became of it are the worklist's own counts, of what arrived in that time.
    median, p95: seconds from at rest to published; None without a scan.
    """

    begin: str
    end: str
    received: int
    done: int
    review: int
    failed: int
    median: float | None
    p95: float | None


async def nights(index: Database, spans: Iterable[tuple[str, str]]) -> list[Night]:
    """The figures of each span (begin, end), counted by the database."""
    return [await _night(index, begin, end) for begin, end in spans]


async def _night(index: Database, begin: str, end: str) -> Night:
    span = (begin, end)
    arrived = await count_arrived(index, begin, end)
    ended = await _count(index, _DONE, span)
    return Night(
        begin=begin,
        end=end,
        received=sum(arrived.values()) - arrived.get("duplicate", 0),
        done=arrived.get("done", 0),
        review=arrived.get("review", 0),
        failed=arrived.get("failed", 0),
        median=await _rank(index, span, ended, 0.5),
        p95=await _rank(index, span, ended, 0.95),
    )


async def count_arrived(index: Database, since: str, until: str = "9") -> dict[str, int]:
    """How many rows of the worklist arrived in a time, by their state now; others are left out."""
    rows = await index.rows(
        "SELECT state, count(*) AS n FROM worklist w INDEXED BY worklist_by_arrived"
        f" WHERE arrived_at >= ? AND arrived_at < ? AND {SHOWN} GROUP BY state",
        (since, until),
    )
    return {row["state"]: row["n"] for row in rows}


async def _count(index: Database, where: str, span: tuple[str, str]) -> int:
    row = await index.row(f"SELECT count(*) AS n FROM drops WHERE {where}", span)
    return int(row["n"]) if row else 0


async def _rank(index: Database, span: tuple[str, str], count: int, share: float) -> float | None:
    """The nearest-rank percentile: the smallest value that `share` of all do not exceed."""
    if not count:
        return None
    rank = max(0, -int(-count * share // 1) - 1)
    row = await index.row(
        f"SELECT {_SECONDS} AS seconds FROM drops WHERE {_DONE}"
        f" ORDER BY seconds LIMIT 1 OFFSET {rank}",
        span,
    )
    return float(row["seconds"]) if row and row["seconds"] is not None else None


RECONCILE = "reconcile"  # a look through the inbox that came to its end


async def beat(index: Database, name: str) -> bool:
    """Note that this was done just now; False if it cannot be written, since the disk is full."""
    try:
        async with index.transaction():
            await index.change(
                "INSERT OR REPLACE INTO heartbeats (name, at) VALUES (?, ?)", (name, time.time())
            )
    except sqlite3.OperationalError:
        return False
    return True


MISSED_LOOKS = 3
GRACE_SECONDS = 60.0  # for a start, or for a scan that the next look waits for


def silence_limit(reconcile_seconds: float) -> float:
    """Seconds after its last look through the inbox from which on the daemon counts as stopped."""
    return MISSED_LOOKS * reconcile_seconds + GRACE_SECONDS


async def last_beat(index: Database, name: str) -> float | None:
    """When this was done last, in Unix seconds; None if it never was."""
    row = await index.row("SELECT at FROM heartbeats WHERE name = ?", (name,))
    return float(row["at"]) if row else None


async def seconds_since(index: Database, name: str) -> float | None:
    """How long ago this was done, in seconds and never below 0; None if it never was."""
    at = await last_beat(index, name)
    return None if at is None else max(0.0, time.time() - at)


async def is_alive(index: Database, name: str, longest: float) -> bool:
    """Whether the index can be read and this was done at most `longest` seconds ago.

    A connection that was closed is a ValueError.
    """
    try:
        await index.row("SELECT 1 FROM scans LIMIT 1")
        seconds = await seconds_since(index, name)
    except (sqlite3.Error, ValueError):
        return False
    return seconds is not None and seconds <= longest


@dataclass(frozen=True)
class FigureCount:
    """Of how many scans of a month and a scanner a figure had a value; scanner '': untold, or all.

    figure and value: finding (tumor, no_tumor, not_judged), flagged ("1"), confidence and dice (per
    cent), decision (the last one on a mask of the network: accepted, rejected, needs_correction,
    or corrected). month: YYYY-MM, local time, in which a scan was first published, as it was then;
    a later revision moves no scan to another month.
    """

    month: str
    scanner: str
    figure: str
    value: str
    scans: int


async def figures_by_month(
    index: Database, since: str, scanner: str | None = None
) -> list[FigureCount]:
    """Of all scanners together, or of one, from a month on, in the order of months."""
    rows = await index.rows(
        "SELECT month, figure, value, sum(scans) AS scans FROM month_figures"
        " WHERE month >= ?1 AND (?2 IS NULL OR scanner = ?2) GROUP BY month, figure, value",
        (since, scanner),
    )
    name = scanner or ""
    return [FigureCount(row[0], name, *row[1:]) for row in rows]


async def busiest_scanners(index: Database, since: str, most: int) -> list[str]:
    """The scanners of most scans from that month on, the busiest first."""
    rows = await index.rows(
        "SELECT scanner FROM month_figures WHERE month >= ? AND figure = 'finding'"
        " GROUP BY scanner ORDER BY sum(scans) DESC, scanner LIMIT ?",
        (since, most),
    )
    return [row["scanner"] for row in rows]


async def figures_by_scanner(
    index: Database, since: str, scanners: Sequence[str]
) -> list[FigureCount]:
    """Of these scanners, each month from that one on."""
    rows = await index.rows(
        "SELECT month, scanner, figure, value, scans FROM month_figures WHERE month >= ?"
        " AND scanner IN (SELECT value FROM json_each(?)) ORDER BY month",
        (since, json.dumps(scanners)),
    )
    return [FigureCount(*row) for row in rows]
