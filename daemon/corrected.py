"""A corrected mask on its way through the queue: the next revision of its scan, measured anew."""

import logging
import os
from pathlib import Path

from daemon import remeasuring
from daemon.correcting import file_of, settle
from daemon.drops import State
from daemon.following import past_of
from daemon.index import ledger
from daemon.index.corrections import Correction, find_correction, revision_made_of
from daemon.index.database import now
from daemon.index.revisions import revisions_of
from daemon.index.scans import ScanRow, row_of_report
from daemon.intake import Earlier
from daemon.job import Job
from daemon.publishing import publish, published_report, revision_folder
from model.errors import MaskError

log = logging.getLogger(__name__)

NOT_THERE = "The scan of this corrected mask is not in the outbox any more."
NOT_KEPT = "The file with the corrected mask is gone: send it again."
NOT_JUDGED = "This scan was not judged: it has no mask that could be corrected."
NOT_ON_RECORD = "This corrected mask is not on record any more: send it again."


async def correct(job: Job, staging: Path) -> State:
    """Measure the mask and publish it, once. Raises MaskError for one that cannot be taken."""
    drop = job.queued.drop
    correction = await find_correction(job.records, drop.correction_key)
    if correction is None:
        raise MaskError(NOT_ON_RECORD)
    made = await revision_made_of(job.index, drop.scan_to_judge, drop.correction_key)
    if made is None:
        made = await _revised(job, staging, correction)
    if made is None:
        return State.WAITING
    await ledger.finish(job.index, job.queued, made, {})
    log.info("corrected", extra={"drop": job.queued.drop_id, "scan": made.scan_id})
    await settle(job.index, job.records)
    return State.DONE


async def _revised(job: Job, staging: Path, correction: Correction) -> ScanRow | None:
    """The next revision, published; None if another one, which a crash left, had to be entered."""
    outbox = job.settings.daemon.outbox
    revisions = await revisions_of(job.index, correction.scan_id)
    if not revisions or not (outbox / os.fsdecode(revisions[0].folder)).is_dir():
        raise MaskError(NOT_THERE)
    if not file_of(outbox, correction).is_file():
        raise MaskError(NOT_KEPT)
    newest = revisions[0]
    folder = revision_folder(os.path.dirname(newest.folder), newest.scan_id, newest.revision + 1)
    report = published_report(outbox, folder, newest.scan_id)
    if report is None:
        basis = _basis(outbox, revisions)
        told = remeasuring.Corrected(correction, file_of(outbox, correction))
        past = await past_of(job, newest.scan_id, os.path.dirname(newest.folder))
        values = (told, basis, newest.report, job.rules, outbox, past, await job.entered())
        report = await job.in_worker(remeasuring.correct_into, staging, *values)
        publish(staging, outbox / folder)
    row = row_of_report(report, os.fsencode(folder), now())
    if (report.get("mask") or {}).get("correction") == correction.correction_key:
        return row
    await ledger.take_over(job.index, row)
    await ledger.put_back(job.index, job.queued, rested=True, count_attempt=False)
    return None


def _basis(outbox: Path, revisions: list[ScanRow]) -> remeasuring.Basis:
    """The newest revision, and the newest of those whose mask is the network's own."""
    newest = revisions[0]
    by_network = next(row for row in revisions if row.report.get("mask") is None)
    if by_network.finding == "not_judged":
        raise MaskError(NOT_JUDGED)
    earlier = Earlier(newest.scan_id, newest.revision, outbox / os.fsdecode(newest.folder))
    return remeasuring.Basis(
        earlier, newest.study_uid, outbox / os.fsdecode(by_network.folder), by_network.report
    )
