"""The published scan that a drop is of: by its content, its study, or where its slices lie."""

import os
from pathlib import Path

from daemon.drops import SOURCE
from daemon.index.scans import ScanRow, find_scan, scan_of_study, scans_of_patient
from daemon.intake.ingest import Intake
from daemon.pipeline import worker_tasks
from daemon.pipeline.revisions import earlier_of
from daemon.pipeline.running_scans import Job
from model.reading.dicom.studies import Fit

MOST_LOOKED_AT = 20  # scans of one patient and day


async def scan_before(
    job: Job, staging: Path, intake: Intake
) -> tuple[ScanRow | None, tuple[str, ...]]:
    """The scan of this content, of this study of the patient, or that its slices fit for certain.

    Only where its files are there. Beside it the ids of the scans that the slices may be of, where
    it cannot be told: they are joined to none of these.
    """
    known = await find_scan(job.index, intake.scan_id)
    if known and (job.settings.daemon.outbox / os.fsdecode(known.folder)).is_dir():
        return known, ()
    if intake.study is None or not intake.pictures:
        return None, ()
    for uid in intake.named.uids:
        scan = await scan_of_study(job.index, job.queued.drop.patient_id, uid)
        if scan is not None and _can_be_joined(job, scan):
            return scan, ()
    return await _fitting(job, staging, intake)


async def _fitting(
    job: Job, staging: Path, intake: Intake
) -> tuple[ScanRow | None, tuple[str, ...]]:
    """Anonymizers give new numbers file by file, so a late slice may name a study of its own."""
    day = intake.study.date if intake.study else ""
    scans = {
        scan.scan_id: scan
        for scan in await scans_of_patient(job.index, job.queued.drop.patient_id)
        if scan.study_uid and scan.study_date == day and _can_be_joined(job, scan)
    }
    outbox = job.settings.daemon.outbox
    others = tuple(earlier_of(outbox, scan) for scan in list(scans.values())[:MOST_LOOKED_AT])
    if not others:
        return None, ()
    fits = await job.in_worker(worker_tasks.fits_among, staging, intake, others, job.rules.flair)
    sure = [scan_id for scan_id, fit in fits.items() if fit is Fit.SURE]
    if len(sure) == 1:
        return scans[sure[0]], ()
    perhaps = (scan_id for scan_id, fit in fits.items() if fit is Fit.PERHAPS)
    return None, tuple(sure or perhaps)


def _can_be_joined(job: Job, scan: ScanRow) -> bool:
    """Whether it lies under the same patient's folder, with the files that were dropped."""
    if os.path.dirname(scan.folder) != job.queued.drop.patient_folder:
        return False
    return (job.settings.daemon.outbox / os.fsdecode(scan.folder) / SOURCE).is_dir()
