"""What people made of the network's masks, counted: by month, by network and by person."""

from dataclasses import dataclass

from daemon.index.database import Database
from daemon.index.reviews import PERSON, Decision

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


async def judged_by_month(index: Database) -> dict[str, int]:
    """How many scans the network judged for the first time in each month."""
    rows = await index.rows(
        "SELECT substr(published_at, 1, 7) AS month, count(*) AS n FROM scans"
        " WHERE revision = 1 AND finding != 'not_judged' GROUP BY 1"
    )
    return {row["month"]: row["n"] for row in rows}
