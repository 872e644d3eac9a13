"""What people think of a mask: who drew it, what was decided on it, and which one is next."""

from typing import Any

from daemon.history import judged_revision
from daemon.index.database import Database
from daemon.index.listing import latest_masks
from daemon.index.reviews import PERSON, Decision, last_decision, reviewed_masks

FURTHEST = 1000  # scans back in which the next one to review is looked for


def is_corrected(report: dict[str, Any]) -> bool:
    """Whether a person drew the mask that this report tells of."""
    return report.get("mask") is not None


def drawn_by(report: dict[str, Any]) -> str:
    """Who drew the mask, as a review notes it."""
    return PERSON if is_corrected(report) else str(report["model"]["weights_sha256"])


async def decision_on(records: Database, report: dict[str, Any]) -> Decision | None:
    """What was decided last on the mask of a report; None if nobody has looked at it.

    A corrected mask counts as accepted by who drew it, until somebody says otherwise.
    """
    said = await last_decision(records, report["scan_id"], judged_revision(report))
    return Decision.ACCEPTED if said is None and is_corrected(report) else said


async def next_unreviewed(index: Database, records: Database, after: str) -> str | None:
    """The scan_id of the next scan whose mask nobody has looked at, newest first, then round.

    after: the scan that was looked at last. None if there is no other among the newest FURTHEST.
    """
    masks = await latest_masks(index, FURTHEST)
    known = await reviewed_masks(records, (mask.scan_id for mask in masks))
    place = next((n for n, mask in enumerate(masks) if mask.scan_id == after), -1)
    for mask in (*masks[place + 1 :], *masks[: place + 1]):
        is_new = not mask.is_corrected and (mask.scan_id, mask.revision) not in known
        if is_new and mask.scan_id != after:
            return mask.scan_id
    return None
