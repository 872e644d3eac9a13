"""What makes a further revision of a scan: a new prior, an entered date, a corrected mask."""

import logging
import os
from pathlib import Path

from daemon.drops import State
from daemon.index import ledger
from daemon.index.database import now
from daemon.index.patient_scans import points_of
from daemon.index.people.corrections import Correction, find_correction, revision_made_of
from daemon.index.people.overrides import entered_date, entered_spacing
from daemon.index.queue import count_done
from daemon.index.scans import ScanRow, find_scan, revisions_of, row_of_report
from daemon.intake.ingest import Earlier
from daemon.outputs.catalogue import text
from daemon.pipeline import corrected_masks, worker_tasks
from daemon.pipeline.outbox import publish, published_report, revision_folder
from daemon.pipeline.running_scans import Job
from daemon.records.corrections import file_of, settle
from daemon.scan_history import Past, is_stale
from model.errors import MaskError

log = logging.getLogger(__name__)


async def past_of(job: Job, scan_id: str, patient_folder: bytes) -> Past:
    """What one scan is dated and compared by, as it is known now."""
    patient_id = job.queued.drop.patient_id
    points = await points_of(job.index, patient_id, patient_folder, scan_id)
    entered = await entered_date(job.records, scan_id)
    spacing = await entered_spacing(job.records, scan_id)
    return Past(
        points,
        (entered.acquired_on or None) if entered else None,
        spacing.spacing if spacing else None,
    )


async def compare_again(job: Job, staging: Path) -> State:
    """A published scan gets a revision if its date, or what it is compared with, has changed."""
    scan = await find_scan(job.index, job.queued.drop.scan_to_analyze)
    if scan is None or not (job.settings.daemon.outbox / os.fsdecode(scan.folder)).is_dir():
        return await _nothing(job)
    past = await past_of(job, scan.scan_id, os.path.dirname(scan.folder))
    if is_stale(scan.report, past):
        return await _end(job, await _revised(job, staging, scan, past), "compared")
    if await count_done(job.index, scan.scan_id) < scan.revision:
        return await _end(job, scan, "taken_over")  # a crash came before its commit
    return await _nothing(job)


async def _revised(job: Job, staging: Path, scan: ScanRow, past: Past) -> ScanRow:
    """The next revision, published; or the one that a crash left in the outbox uncommitted."""
    outbox = job.settings.daemon.outbox
    folder = revision_folder(os.path.dirname(scan.folder), scan.scan_id, scan.revision + 1)
    report = published_report(outbox, folder, scan.scan_id)
    if report is None:
        earlier = Earlier(scan.scan_id, scan.revision, outbox / os.fsdecode(scan.folder))
        report = await job.in_worker(
            worker_tasks.compare_into,
            staging,
            earlier,
            scan.report,
            outbox=outbox,
            past=past,
            rules=job.rules,
            entered=await job.entered(),
        )
        publish(staging, outbox / folder)
    return row_of_report(report, os.fsencode(folder), now())


async def _end(job: Job, scan: ScanRow, event: str) -> State:
    await ledger.finish(job.index, job.queued, scan, {})
    log.info(event, extra={"drop": job.queued.drop_id, "scan": scan.scan_id})
    return State.DONE


async def _nothing(job: Job) -> State:
    """It says already what would be said now: the wish is forgotten."""
    await ledger.withdraw(job.index, job.queued.drop_id)
    return State.DONE


async def correct(job: Job, staging: Path) -> State:
    """Measure the mask and publish it, once. Raises MaskError for one that cannot be taken."""
    drop = job.queued.drop
    correction = await find_correction(job.records, drop.correction_key)
    if correction is None:
        raise MaskError(text("correction.no_record"))
    made = await revision_made_of(job.index, drop.scan_to_analyze, drop.correction_key)
    if made is None:
        made = await _corrected_revision(job, staging, correction)
    if made is None:
        return State.WAITING
    await ledger.finish(job.index, job.queued, made, {})
    log.info("corrected", extra={"drop": job.queued.drop_id, "scan": made.scan_id})
    await settle(job.index, job.records)
    return State.DONE


async def _corrected_revision(job: Job, staging: Path, correction: Correction) -> ScanRow | None:
    """The next revision, published; None if another one, which a crash left, had to be entered."""
    outbox = job.settings.daemon.outbox
    revisions = await revisions_of(job.index, correction.scan_id)
    if not revisions or not (outbox / os.fsdecode(revisions[0].folder)).is_dir():
        raise MaskError(text("correction.no_scan"))
    if not file_of(outbox, correction).is_file():
        raise MaskError(text("correction.no_file"))
    newest = revisions[0]
    folder = revision_folder(os.path.dirname(newest.folder), newest.scan_id, newest.revision + 1)
    report = published_report(outbox, folder, newest.scan_id)
    if report is None:
        basis = _basis(outbox, revisions)
        report = await job.in_worker(
            corrected_masks.correct_into,
            staging,
            corrected_masks.Corrected(correction, file_of(outbox, correction)),
            basis,
            newest=newest.report,
            rules=job.rules,
            outbox=outbox,
            past=await past_of(job, newest.scan_id, os.path.dirname(newest.folder)),
            entered=await job.entered(),
        )
        publish(staging, outbox / folder)
    row = row_of_report(report, os.fsencode(folder), now())
    if report.mask and report.mask.correction == correction.correction_key:
        return row
    await ledger.take_over(job.index, row)
    await ledger.put_back(job.index, job.queued, rested=True, count_attempt=False)
    return None


def _basis(outbox: Path, revisions: list[ScanRow]) -> corrected_masks.Basis:
    """The newest revision, and the newest of those whose mask is the network's own."""
    newest = revisions[0]
    by_network = next(row for row in revisions if row.report.mask is None)
    if by_network.finding == "not_judged":
        raise MaskError(text("correction.no_mask"))
    earlier = Earlier(newest.scan_id, newest.revision, outbox / os.fsdecode(newest.folder))
    return corrected_masks.Basis(
        earlier=earlier,
        study_uid=newest.study_uid,
        by_network=outbox / os.fsdecode(by_network.folder),
        network_report=by_network.report,
    )
