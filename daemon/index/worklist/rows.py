"""The worklist's rows, with all that the viewer shows of them, and the counts above them.

All functions take the connection that reads both databases (`daemon/index/database.py`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from daemon.index.database import LAST_LETTER, Database
from daemon.index.statistics import RECONCILE
from daemon.index.worklist.pages import SHOWN
from daemon.index.worklist.record_updates import NEWS, REVIEWS_SEEN


@dataclass(frozen=True)
class Row:
    """One line of the worklist: a scan, or files that are none yet. Moments: UTC, ISO 8601.

    state: copying, waiting, running, failed, duplicate, review (a person should look) or done.
    patient_key: None if the records do not know the patient yet. scan_id: of a duplicate that of
    the scan it repeats. brief: JSON, what is shown of the newest revision's report; None of what
    is no scan. folder: of that revision, below the outbox; None once retention has taken the
    files away.
    is_first: it is compared with no scan, and no other of the patient is older, or could be.
    """

    row_id: int
    state: str
    patient_id: str
    patient_key: str | None
    patient_name: str
    arrived_at: str
    scan_id: str | None
    acquired_at: str | None
    reason: str | None
    started_at: str | None
    decision: str
    reviewer: str | None
    brief: str | None
    folder: bytes | None
    is_first: bool
    is_again: bool  # queued for another judgement
    filed_twice: bool


async def worklist_rows(joined: Database, row_ids: Sequence[int]) -> list[Row]:
    """These rows, in this order; those that are gone are left out."""
    rows = await joined.row(_ROWS, (json.dumps(row_ids),))
    found = {values[0]: _row(values) for values in json.loads(rows[0])} if rows else {}
    return [found[row_id] for row_id in row_ids if row_id in found]


async def begins_accession(joined: Database, text: str) -> bool:
    """Whether any accession number begins so."""
    found = await joined.row(
        "SELECT 1 FROM worklist WHERE accession >= ? AND accession < ? LIMIT 1",
        (text, text + LAST_LETTER),
    )
    return found is not None


async def row_of_scan(joined: Database, scan_id: str) -> int | None:
    """The row in which a scan stands."""
    row = await joined.row("SELECT row_id FROM worklist WHERE scan_id = ?", (scan_id,))
    return int(row["row_id"]) if row else None


# All rows as one text: sqlite3 takes Python's lock for each row that it gives back, and the thread
# of the pages has it. A drop says nothing more once its scan is there. Equal scan_ids have equal
# patients. In the order of Row's fields.
_ROWS = """
    SELECT json_group_array(json_array(
        w.row_id, w.state, w.patient_id, p.patient_key, coalesce(p.name, ''), w.arrived_at,
        coalesce(w.scan_id, d.scan_id), w.acquired_at, coalesce(w.trouble, d.reason),
        d.started_at, w.decision, w.reviewer, w.brief, hex(w.folder),
        w.growth IS NULL AND NOT EXISTS (SELECT 1 FROM worklist o
            WHERE o.patient_id = w.patient_id AND o.row_id != w.row_id AND o.scan_id IS NOT NULL
            AND o.scan_id NOT IN (SELECT scan_id FROM unlisted_scans)
            AND coalesce(o.acquired_at < w.acquired_at, 1)),
        w.scan_id IN (SELECT a.scan_id FROM drops a INDEXED BY drops_again
            WHERE a.kind = 'again' AND a.state IN ('waiting', 'running')),
        EXISTS (SELECT 1 FROM scans o WHERE o.content_sha256 = w.content_sha256
            AND o.scan_id != w.scan_id AND o.patient_id != w.patient_id
            AND EXISTS (SELECT 1 FROM shown_scans t WHERE t.scan_id = o.scan_id))))
    FROM json_each(?) asked CROSS JOIN worklist w ON w.row_id = asked.value
    LEFT JOIN records.patients p ON p.patient_id = w.patient_id
    LEFT JOIN drops d ON d.drop_id = iif(w.stage = 'done', NULL, w.drop_id)
"""


def _row(values: list[Any]) -> Row:
    *plain, folder, is_first, is_again, filed_twice = values
    told = (bool(is_first), bool(is_again), bool(filed_twice))
    return Row(*plain, bytes.fromhex(folder) or None, *told)  # type: ignore[call-arg]


@dataclass(frozen=True)
class Situation:
    """As of one moment. mark: grows with every change of any row; arrived: rows by state.

    is_empty: nothing has ever arrived; is_behind: rows wait for `catch_up`; looked_at: Unix
    seconds of the daemon's last look through the inbox, None if there was none.
    """

    mark: int
    is_empty: bool
    is_behind: bool
    is_paused: bool
    is_disk_low: bool
    looked_at: float | None
    arrived: dict[str, int]


async def situation_of(joined: Database, since: str) -> Situation:
    """As it is now; since: UTC, ISO 8601, from which on arrivals are counted."""
    row = await joined.row(_SITUATION, (REVIEWS_SEEN, RECONCILE, since))
    assert row is not None  # a SELECT without FROM has one row
    return Situation(
        row["mark"] or 0,
        bool(row["is_empty"]),
        bool(row["is_behind"]),
        bool(row["is_paused"]),
        bool(row["is_disk_low"]),
        row["looked_at"],
        json.loads(row["arrived"]),
    )


_SITUATION = f"""
    SELECT (SELECT count FROM worklist_changes) AS mark,
        NOT EXISTS (SELECT 1 FROM worklist) AS is_empty,
        (SELECT is_reviewed OR is_new FROM ({NEWS})) AS is_behind,
        (SELECT value FROM switches WHERE name = 'paused') AS is_paused,
        (SELECT value FROM switches WHERE name = 'disk_low') AS is_disk_low,
        (SELECT at FROM heartbeats WHERE name = ?) AS looked_at,
        (SELECT json_group_object(state, n) FROM (SELECT state, count(*) AS n
            FROM worklist w INDEXED BY worklist_by_arrived
            WHERE arrived_at >= ? AND {SHOWN} GROUP BY state)) AS arrived
"""
