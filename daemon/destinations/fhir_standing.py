"""How a scan stands for FHIR: by its newest revision, and by what people said of its mask."""

from dataclasses import dataclass

from daemon.index.database import Database
from daemon.index.people.reviews import Decision, Review, reviews_of
from daemon.index.scans import ScanRow, revisions_of
from daemon.outputs.fhir.standing import Standing, Status
from daemon.records.reviews import decision_on
from daemon.scan_history import judged_revision

STATUS: dict[Decision | None, Status] = {
    None: "preliminary",
    Decision.NEEDS_CORRECTION: "preliminary",
    Decision.ACCEPTED: "final",
    Decision.REJECTED: "entered-in-error",
}


@dataclass(frozen=True)
class Now:
    """scan: the newest revision; review: the last word on its mask, if there is one."""

    scan: ScanRow
    standing: Standing
    review: Review | None


async def standing_now(index: Database, records: Database, scan_id: str) -> Now | None:
    """A mask that a person drew counts as accepted. What is accepted after an earlier mask of the
    scan was is amended. None for a scan that there is not."""
    rows = await revisions_of(index, scan_id)
    if not rows:
        return None
    newest, said = rows[0], await reviews_of(records, scan_id)
    judged = judged_revision(newest.report)
    last = next((each for each in said if each.revision == judged), None)
    decision = await decision_on(records, newest.report)
    accepted = {each.revision for each in said if each.decision is Decision.ACCEPTED}
    status = STATUS[decision]
    if status == "final" and any(each < judged for each in accepted):
        status = "amended"
    standing = Standing(
        status=status,
        at=max(last.at, newest.published_at) if last else newest.published_at,
        reviewer=last.reviewer if last and status != "preliminary" else "",
        earlier=tuple(each.report for each in reversed(rows[1:])),
    )
    return Now(newest, standing, last)
