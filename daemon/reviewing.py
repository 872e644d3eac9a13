"""What people think of a mask: who drew it and what was decided on it."""

from typing import Any

from daemon.history import judged_revision
from daemon.index.database import Database
from daemon.index.reviews import PERSON, Decision, last_decision


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
