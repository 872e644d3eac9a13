"""What people said of published scans; it belongs to the records, and no rebuild touches it."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from daemon.index.database import Database, now

PERSON = "person"


class Decision(StrEnum):
    """What a person thinks of a mask; only the first two end the work on it."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NEEDS_CORRECTION = "needs_correction"


@dataclass(frozen=True)
class Review:
    """One statement about a scan's mask; at: UTC, ISO 8601; review_id: grows with time.

    revision: the one in which the mask was made. Later ones that only compare it anew keep it.
    reason: a short code of why it was rejected, or ''. drawn_by: the SHA-256 of the weights that
    made the mask, PERSON for a corrected one, '' where that was not noted.
    """

    scan_id: str
    revision: int
    decision: Decision
    comment: str
    reviewer: str
    at: str
    reason: str = ""
    drawn_by: str = ""
    review_id: int = 0


async def add_review(
    records: Database,
    scan_id: str,
    revision: int,
    decision: Decision,
    comment: str,
    reviewer: str,
    reason: str = "",
    drawn_by: str = "",
) -> None:
    """Add a statement; those before it stay."""
    async with records.transaction():
        await records.change(
            "INSERT INTO reviews"
            " (scan_id, revision, decision, comment, reviewer, at, reason, drawn_by)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (scan_id, revision, decision, comment, reviewer, now(), reason, drawn_by),
        )


async def reviews_of(records: Database, scan_id: str) -> list[Review]:
    """All that was said of a scan's revisions, latest first."""
    rows = await records.rows(
        f"SELECT {_COLUMNS} FROM reviews WHERE scan_id = ? ORDER BY review_id DESC", (scan_id,)
    )
    return [_review(row) for row in rows]


async def last_decision(records: Database, scan_id: str, revision: int) -> Decision | None:
    """What was said last of the mask of this revision; None if nobody has said anything."""
    row = await records.row(
        "SELECT decision FROM reviews WHERE scan_id = ? AND revision = ?"
        " ORDER BY review_id DESC LIMIT 1",
        (scan_id, revision),
    )
    return Decision(row["decision"]) if row else None


async def last_reviews(records: Database, scan_ids: Iterable[str]) -> dict[str, Review]:
    """What was said last of each of these scans, by scan_id; without those of which nothing was."""
    rows = await records.rows(
        f"SELECT {_COLUMNS} FROM reviews WHERE review_id IN"
        " (SELECT max(review_id) FROM reviews WHERE scan_id IN (SELECT value FROM json_each(?))"
        " GROUP BY scan_id)",
        (json.dumps(list(scan_ids)),),
    )
    return {row["scan_id"]: _review(row) for row in rows}


_COLUMNS = "scan_id, revision, decision, comment, reviewer, at, reason, drawn_by, review_id"


def _review(row: sqlite3.Row) -> Review:
    return Review(row[0], row[1], Decision(row[2]), *row[3:])
