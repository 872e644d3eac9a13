"""What the worklist says above its rows, asked of the index at once."""

import json
from dataclasses import dataclass

from daemon.index.database import Database
from daemon.index.heartbeats import RECONCILE
from daemon.index.worklist_filters import SHOWN
from daemon.index.worklist_people import NEWS, REVIEWS_SEEN


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
