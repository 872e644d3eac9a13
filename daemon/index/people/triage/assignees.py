"""Who is to look at a scan, in the records: one person at a time, with who said so and when."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from daemon.index.database import Database, now
from daemon.index.people.audit import changing, each_told


@dataclass(frozen=True)
class Assignee:
    """The person, as reviews are signed, and who assigned the scan, when (UTC, ISO 8601)."""

    account_id: int
    full_name: str
    set_by: str
    set_at: str


async def set_assignee(
    records: Database, scan_ids: Iterable[str], account_id: int, who: str
) -> list[str]:
    """Assign these scans to an account, or to nobody (0); for which this is a change.

    The audit has an entry of each.
    """
    asked = json.dumps(list(dict.fromkeys(scan_ids)))
    async with changing(records):
        rows = await records.rows(
            "SELECT value FROM json_each(?1) WHERE coalesce((SELECT account_id FROM scan_assignees"
            " WHERE scan_id = value AND ended_at = ''), 0) != ?2",
            (asked, account_id),
        )
        changed = [str(row["value"]) for row in rows]
        await records.change_many(
            "UPDATE scan_assignees SET ended_by = ?, ended_at = ?"
            " WHERE scan_id = ? AND ended_at = ''",
            [(who, now(), each) for each in changed],
        )
        if account_id:
            await records.change_many(
                "INSERT INTO scan_assignees (scan_id, account_id, set_by, set_at)"
                " VALUES (?, ?, ?, ?)",
                [(each, account_id, who, now()) for each in changed],
            )
        each_told(changed, f"assigned to account {account_id}" if account_id else "not assigned")
    return changed


async def assignee_of(records: Database, scan_id: str) -> Assignee | None:
    """Who is to look at this scan, or None."""
    row = await records.row(
        "SELECT account_id, full_name, set_by, set_at FROM scan_assignees"
        " JOIN accounts USING (account_id) WHERE scan_id = ? AND ended_at = ''",
        (scan_id,),
    )
    return Assignee(*row) if row else None
