"""What follows from a patient's other scans: a revision that is dated and compared anew."""

import logging
import os
from pathlib import Path

from daemon import work
from daemon.drops import State
from daemon.history import Past, is_stale
from daemon.index import ledger
from daemon.index.database import now
from daemon.index.histories import points_of
from daemon.index.queue import count_done
from daemon.index.scan_dates import entered_date
from daemon.index.scans import ScanRow, find_scan, row_of_report
from daemon.index.spacings import entered_spacing
from daemon.intake import Earlier
from daemon.job import Job
from daemon.publishing import publish, published_report, revision_folder

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
    scan = await find_scan(job.index, job.queued.drop.scan_to_judge)
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
        told = (scan.report, outbox, past, job.rules, await job.entered())
        report = await job.in_worker(work.compare_into, staging, earlier, *told)
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
