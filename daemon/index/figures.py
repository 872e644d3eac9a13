"""Figures over the whole index, kept or asked for so that no report is read for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from daemon.index.database import Database

STAGES = ("read", "segment", "write")


@dataclass(frozen=True)
class Totals:
    """Published scans of one finding, each revision counted, and their summed seconds by stage."""

    finding: str
    scans: int
    seconds: dict[str, float]


async def count_scan(index: Database, finding: str, seconds: Mapping[str, float]) -> None:
    """Add a scan to the totals; called inside the transaction that enters it.

    A report of the outbox that is taken over may be an old one, without seconds.
    """
    await index.change(
        "INSERT INTO totals VALUES (?, 1, ?, ?, ?) ON CONFLICT (finding) DO UPDATE SET"
        " scans = scans + 1, read_seconds = read_seconds + excluded.read_seconds,"
        " segment_seconds = segment_seconds + excluded.segment_seconds,"
        " write_seconds = write_seconds + excluded.write_seconds",
        (finding, *(seconds.get(stage, 0.0) for stage in STAGES)),
    )


async def totals(index: Database) -> list[Totals]:
    """The totals of each finding that there was."""
    rows = await index.rows("SELECT * FROM totals ORDER BY finding")
    return [
        Totals(row["finding"], row["scans"], {s: float(row[f"{s}_seconds"]) for s in STAGES})
        for row in rows
    ]


async def oldest_waiting_seconds(index: Database) -> float:
    """How long ago the oldest drop that still waits was seen, in seconds; 0 if none waits."""
    row = await index.row("SELECT min(seen_at) AS seen FROM drops WHERE state = 'waiting'")
    if row is None or row["seen"] is None:
        return 0.0
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(row["seen"])).total_seconds())
