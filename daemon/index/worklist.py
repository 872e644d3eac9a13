"""The worklist's rows as the viewer shows them, and the counts above them.

All functions take the connection that reads both databases (`daemon/index/joined.py`).
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from daemon.index.database import Database
from daemon.index.worklist_filters import SHOWN


@dataclass(frozen=True)
class Row:
    """One line of the worklist: a scan, or files that are none yet. Moments: UTC, ISO 8601.

    state: copying, waiting, running, failed, duplicate, review (a person should look) or done.
    scan_id: of a duplicate that of the scan it repeats. report: of the newest revision; folder:
    its place below the outbox, None once retention has taken the files away.
    is_first: no other scan of the patient is older, or could be.
    """

    row_id: int
    state: str
    patient_id: str
    arrived_at: str
    scan_id: str | None
    acquired_at: str | None
    kind: str
    reason: str | None
    started_at: str | None
    decision: str
    reviewer: str | None
    report: dict[str, Any] | None
    folder: bytes | None
    is_first: bool
    is_again: bool  # queued for another judgement
    filed_twice: bool


async def worklist_rows(joined: Database, row_ids: Sequence[int]) -> list[Row]:
    """These rows, in this order; those that are gone are left out."""
    rows = await joined.rows(_ROWS, (json.dumps(row_ids),))
    found = {row["row_id"]: _row(row) for row in rows}
    return [found[row_id] for row_id in row_ids if row_id in found]


async def count_arrived(joined: Database, since: str) -> dict[str, int]:
    """How many rows in each state arrived from this moment on."""
    rows = await joined.rows(
        "SELECT state, count(*) AS n FROM worklist w INDEXED BY worklist_by_arrived"
        f" WHERE arrived_at >= ? AND {SHOWN} GROUP BY state",
        (since,),
    )
    return {row["state"]: int(row["n"]) for row in rows}


async def newest_mark(joined: Database) -> int:
    """A number that grows with every change of any row."""
    row = await joined.row("SELECT count FROM worklist_changes")
    return int(row["count"]) if row else 0


async def row_of_scan(joined: Database, scan_id: str) -> int | None:
    """The row in which a scan stands."""
    row = await joined.row("SELECT row_id FROM worklist WHERE scan_id = ?", (scan_id,))
    return int(row["row_id"]) if row else None


async def is_empty(joined: Database) -> bool:
    """Whether nothing has ever arrived."""
    return await joined.row("SELECT 1 FROM worklist LIMIT 1") is None


_ROWS = """
    SELECT w.row_id, w.state, w.patient_id, w.arrived_at, w.acquired_at, w.decision, w.reviewer,
        w.trouble, coalesce(w.scan_id, d.scan_id) AS scan_id, d.kind, d.reason, d.started_at,
        s.report, s.folder, s.removed_at,
        NOT EXISTS (SELECT 1 FROM worklist o WHERE o.patient_id = w.patient_id
            AND o.row_id != w.row_id AND o.scan_id IS NOT NULL
            AND o.scan_id NOT IN (SELECT scan_id FROM unlisted_scans)
            AND coalesce(o.acquired_at < w.acquired_at, 1)) AS is_first,
        EXISTS (SELECT 1 FROM drops a WHERE a.scan_id = w.scan_id AND a.kind = 'again'
            AND a.state IN ('waiting', 'running')) AS is_again,
        EXISTS (SELECT 1 FROM shown_scans o WHERE o.content_sha256 = s.content_sha256
            AND o.patient_id != s.patient_id) AS filed_twice
    FROM json_each(?) asked CROSS JOIN worklist w ON w.row_id = asked.value
    LEFT JOIN drops d ON d.drop_id = w.drop_id
    LEFT JOIN scans s ON s.scan_id = w.scan_id AND s.revision = w.revision
"""


def _row(row: sqlite3.Row) -> Row:
    return Row(
        row["row_id"],
        row["state"],
        row["patient_id"],
        row["arrived_at"],
        row["scan_id"],
        row["acquired_at"],
        row["kind"] or "",
        row["trouble"] or row["reason"],
        row["started_at"],
        row["decision"],
        row["reviewer"],
        json.loads(row["report"]) if row["report"] else None,
        None if row["removed_at"] else row["folder"],
        bool(row["is_first"]),
        bool(row["is_again"]),
        bool(row["filed_twice"]),
    )
