"""Scans that were not analyzed and of which a person said that nothing is left to do: the records.

What a revision said stays with it: one that is analyzed anew needs a person again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from daemon.index.database import Database, now
from daemon.index.people.audit import changing, each_told

SETTLED = "settled"  # in the worklist, where a review has its decision
MOST_LOOKED_AT = 1000  # rows of one look of the rule


@dataclass(frozen=True)
class Settling:
    """One statement. revision: the one that was not analyzed; reason: a short code, '' = undone.

    settled_at: UTC, ISO 8601.
    """

    scan_id: str
    revision: int
    reason: str
    comment: str
    settled_by: str
    settled_at: str


async def add_settlings(
    records: Database, revisions: Mapping[str, int], reason: str, comment: str, who: str
) -> list[str]:
    """Note it of these scans, by scan_id, with the revision of each; '' as reason takes it back.

    Only of those where it changes anything; these are given back. The audit has an entry of each.
    """
    async with changing(records):
        standing = await _standing(records, revisions)
        changed = [scan_id for scan_id in revisions if bool(standing.get(scan_id)) != bool(reason)]
        await records.change_many(
            "INSERT INTO settled_scans (scan_id, revision, reason, comment, settled_by, settled_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [(each, revisions[each], reason, comment, who, now()) for each in changed],
        )
        each_told(changed, f"settled: {reason}" if reason else "settled: taken back")
    return changed


async def _standing(records: Database, revisions: Mapping[str, int]) -> dict[str, str]:
    """The reason that stands of each revision of which anything was said."""
    rows = await records.rows(
        "SELECT a.key AS scan_id, (SELECT reason FROM settled_scans s WHERE s.scan_id = a.key"
        " AND s.revision = a.value ORDER BY entry DESC LIMIT 1) AS reason FROM json_each(?) a",
        (json.dumps(dict(revisions)),),
    )
    return {row["scan_id"]: row["reason"] for row in rows if row["reason"] is not None}


async def said_of_any(records: Database, revisions: Mapping[str, int]) -> set[str]:
    """Those of these scans of whose revision somebody said so ever, also if it was taken back."""
    return set(await _standing(records, revisions))


async def settlings_of(records: Database, scan_id: str) -> list[Settling]:
    """All that was said of a scan's revisions, latest first."""
    rows = await records.rows(
        "SELECT scan_id, revision, reason, comment, settled_by, settled_at FROM settled_scans"
        " WHERE scan_id = ? ORDER BY entry DESC",
        (scan_id,),
    )
    return [Settling(*row) for row in rows]


@dataclass(frozen=True)
class NotSettled:
    """Scans of the worklist that were not analyzed and are not settled: the revision of each.

    mark: how far the list was looked through.
    """

    revisions: dict[str, int]
    mark: int


async def not_settled_since(index: Database, mark: int) -> NotSettled:
    """What has changed since that mark of the worklist, MOST_LOOKED_AT rows of it at most."""
    rows = await index.rows(
        "SELECT mark, iif(stage = 'done' AND finding = 'not_judged' AND decision = '', scan_id,"
        " NULL) AS scan_id, judged FROM worklist INDEXED BY worklist_by_mark WHERE mark > ?"
        " ORDER BY mark LIMIT ?",
        (mark, MOST_LOOKED_AT),
    )
    revisions = {row["scan_id"]: row["judged"] for row in rows if row["scan_id"] is not None}
    return NotSettled(revisions, rows[-1]["mark"] if rows else mark)
