"""What people said of published scans, in the records, and how it counts by month and person."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from daemon.index.database import Database, now
from daemon.index.people.audit import changing

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


@dataclass(frozen=True)
class Seen:
    """What of a scan had been said when its page was opened: the last statement's number, and how
    many corrected masks there were."""

    review_id: int
    corrections: int


async def add_review(
    records: Database,
    scan_id: str,
    revision: int,
    decision: Decision,
    comment: str,
    reviewer: str,
    reason: str = "",
    drawn_by: str = "",
    seen: Seen | None = None,
) -> bool:
    """Add a statement; those before it stay. False if more has been said than its author saw.

    seen: None for who looks at no page.
    """
    async with changing(records):
        if seen not in (None, await said_of(records, scan_id)):
            return False
        await records.change(
            "INSERT INTO reviews"
            " (scan_id, revision, decision, comment, reviewer, at, reason, drawn_by)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (scan_id, revision, decision, comment, reviewer, now(), reason, drawn_by),
        )
    return True


async def said_of(records: Database, scan_id: str) -> Seen:
    """What of a scan has been said by now."""
    row = await records.row(
        "SELECT (SELECT coalesce(max(review_id), 0) FROM reviews WHERE scan_id = ?1),"
        " (SELECT count(*) FROM corrections WHERE scan_id = ?1)",
        (scan_id,),
    )
    return Seen(*row) if row else Seen(0, 0)


async def reviews_of(records: Database, scan_id: str) -> list[Review]:
    """All that was said of a scan's revisions, latest first."""
    rows = await records.rows(
        f"SELECT {_COLUMNS} FROM reviews WHERE scan_id = ? ORDER BY review_id DESC", (scan_id,)
    )
    return [_review(row) for row in rows]


async def reviews_after(records: Database, review_id: int, most: int) -> list[Review]:
    """What was said after that review, in its order, `most` of it at once."""
    rows = await records.rows(
        f"SELECT {_COLUMNS} FROM reviews WHERE review_id > ? ORDER BY review_id LIMIT ?",
        (review_id, most),
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


async def reviewed_after(records: Database, review_id: int) -> tuple[int, set[str]]:
    """The scans of which something was said after a statement, and the number of the last one."""
    rows = await records.rows(
        "SELECT review_id, scan_id FROM reviews WHERE review_id > ? ORDER BY review_id",
        (review_id,),
    )
    return (rows[-1][0] if rows else review_id), {row[1] for row in rows}


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


_LAST = (  # of each mask of the network the last word; SQLite takes bare columns of the max() row
    "SELECT scan_id, revision, decision, reason, drawn_by, reviewer, at, max(review_id)"
    f" FROM reviews WHERE drawn_by != '{PERSON}' GROUP BY scan_id, revision"
)
_NOT_CORRECTED = (
    "NOT EXISTS (SELECT 1 FROM corrections c WHERE c.scan_id = l.scan_id"
    " AND c.model_revision = l.revision)"
)


@dataclass(frozen=True)
class Count:
    """How often something was said of masks. month: YYYY-MM, UTC; weights: '' = not noted."""

    month: str
    weights: str
    decision: Decision
    count: int


@dataclass(frozen=True)
class CorrectedMask:
    """A mask of the network beside a person's last correction of it. Volumes in ml, or None."""

    scan_id: str
    at: str
    weights: str
    by: str
    dice: float
    model_ml: float | None
    corrected_ml: float | None


@dataclass(frozen=True)
class RejectedMask:
    """A mask of the network that the last word rejects; reason: a short code, or ''."""

    scan_id: str
    at: str
    reason: str
    by: str


@dataclass(frozen=True)
class PersonCount:
    """How many statements of a kind somebody made; decision None: a corrected mask."""

    name: str
    decision: Decision | None
    count: int


async def last_words(records: Database) -> list[Count]:
    """The last word on each mask of the network that nobody corrected, counted by month."""
    rows = await records.rows(
        "SELECT substr(at, 1, 7) AS month, drawn_by, decision, count(*) AS n"
        f" FROM ({_LAST}) l WHERE {_NOT_CORRECTED} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return [
        Count(row["month"], row["drawn_by"], Decision(row["decision"]), row["n"]) for row in rows
    ]


async def corrected_masks(records: Database) -> list[CorrectedMask]:
    """Each mask of the network that was corrected, with the last correction, oldest first."""
    rows = await records.rows(
        "SELECT scan_id, max(at) AS at, weights_sha256, corrected_by, dice, model_ml, corrected_ml"
        " FROM corrections WHERE revision IS NOT NULL GROUP BY scan_id, model_revision ORDER BY 2"
    )
    return [CorrectedMask(*row) for row in rows]


async def rejected_masks(records: Database, limit: int) -> list[RejectedMask]:
    """Masks of the network that were rejected last, latest first."""
    rows = await records.rows(
        f"SELECT scan_id, at, reason, reviewer FROM ({_LAST}) l WHERE decision = ?"
        f" AND {_NOT_CORRECTED} ORDER BY at DESC LIMIT ?",
        (Decision.REJECTED, limit),
    )
    return [RejectedMask(*row) for row in rows]


async def people(records: Database) -> list[PersonCount]:
    """Who said what how often, every statement counted, by name."""
    rows = await records.rows(
        "SELECT reviewer AS name, decision, count(*) AS n FROM reviews GROUP BY 1, 2"
        " UNION ALL SELECT corrected_by, NULL, count(*) FROM corrections"
        " WHERE revision IS NOT NULL GROUP BY 1 ORDER BY 1, 2"
    )
    return [
        PersonCount(row["name"], Decision(row["decision"]) if row["decision"] else None, row["n"])
        for row in rows
    ]


async def analyzed_by_month(index: Database) -> dict[str, int]:
    """How many scans the network analyzed for the first time in each month."""
    rows = await index.rows(
        "SELECT substr(published_at, 1, 7) AS month, count(*) AS n FROM scans"
        " WHERE revision = 1 AND finding != 'not_judged' GROUP BY 1"
    )
    return {row["month"]: row["n"] for row in rows}
