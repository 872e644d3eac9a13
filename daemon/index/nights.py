"""What each night brought: how many scans came, were done and failed, and how long they took."""

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.index.database import Database

_DONE = "state = 'done' AND kind != 'compare' AND ended_at >= ?1 AND ended_at < ?2"
_SECONDS = "(julianday(ended_at) - julianday(coalesce(rested_at, seen_at))) * 86400"


@dataclass(frozen=True)
class Night:
    """One night, from noon to noon. begin, end: UTC, ISO 8601, as the index keeps times.

    median, p95: seconds from at rest to published; None without a scan.
    """

    begin: str
    end: str
    received: int
    done: int
    failed: int
    median: float | None
    p95: float | None


async def nights(index: Database, spans: Iterable[tuple[str, str]]) -> list[Night]:
    """The figures of each span (begin, end), counted by the database."""
    return [await _night(index, begin, end) for begin, end in spans]


async def _night(index: Database, begin: str, end: str) -> Night:
    span = (begin, end)
    received = await _count(
        index, "seen_at >= ?1 AND seen_at < ?2 AND kind NOT IN ('again', 'compare')", span
    )
    done = await _count(index, _DONE, span)
    failed = await _count(index, "state = 'rejected' AND ended_at >= ?1 AND ended_at < ?2", span)
    median, p95 = await _rank(index, span, done, 0.5), await _rank(index, span, done, 0.95)
    return Night(begin, end, received, done, failed, median, p95)


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
