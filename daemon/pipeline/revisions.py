"""What makes a further revision: a new prior, an entered date, a corrected mask measured anew."""

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon.drops import SOURCE, State
from daemon.index import ledger
from daemon.index.database import now
from daemon.index.patient_scans import is_in_doubt, points_of
from daemon.index.people.corrections import Correction, find_correction, revision_made_of
from daemon.index.people.overrides import entered_date, entered_spacing
from daemon.index.queue import count_done
from daemon.index.scans import ScanRow, find_scan, revisions_of, row_of_report
from daemon.intake.ingest import Earlier
from daemon.intake.late_files import take_again
from daemon.outputs.catalogue import text
from daemon.outputs.report_builder import build_report, quality_note
from daemon.outputs.scan_folder import write_files
from daemon.outputs.wording import WHY_REVISED
from daemon.pipeline import worker_tasks
from daemon.pipeline.outbox import hashes_of, publish, published_report, revision_folder
from daemon.pipeline.running_scans import Job
from daemon.pipeline.worker_tasks import AnalysisRules, Circumstances, finish_scan, occasion_of
from daemon.records.corrections import file_of, settle
from daemon.report import Report
from daemon.report_parts import CorrectedMask, MaskAgreement, QualityNote, Seconds
from daemon.scan_history import Past, is_stale, judged_revision, series_in
from model.errors import MaskError
from model.geometry import dice
from model.inference.segmentation import Segmentation
from model.measurement.given_masks import findings_on
from model.measurement.lobes import lobes_of
from model.reading.drawn_masks import read_corrected
from model.reading.images import read_picture
from model.reading.nifti import read_nifti
from model.reading.read import read_again, with_spacing
from model.volume import MaskArray, note

OF_OTHER_MASKS = (  # codes of notes that spoke of the mask before, or of one revision alone
    *("low_confidence", "several_places", "white_matter_lesions", "corrected"),
    *("no_dicom_objects", "no_dicom_seg"),
    *WHY_REVISED,
)


@dataclass(frozen=True)
class Corrected:
    """What a person sent: as it is on record, and where its bytes lie."""

    correction: Correction
    file: Path


@dataclass(frozen=True)
class Basis:
    """What was corrected. earlier: the newest revision; by_network: the folder of the newest one
    whose mask the network made, with its report, for the agreement of both."""

    earlier: Earlier
    by_network: Path
    network_report: Report


def correct_into(
    staging: Path,
    corrected: Corrected,
    basis: Basis,
    newest: Report,
    rules: AnalysisRules,
    known: Circumstances,
) -> Report:
    """Write a revision whose mask is a person's, synced; its report. newest: the report before.

    Range, confidence and probabilities are the network's and do not hold for it: they are null.
    Raises MaskError or UnreadableScan with the reason why it cannot be taken.
    """
    began = time.monotonic()
    intake = take_again(staging, basis.earlier)
    kept = basis.earlier.folder / f"{intake.scan_id}_flair.nii.gz"
    volume = read_again(intake.scan, kept, rules.flair, series_in(newest))
    mask = _checked(read_corrected(corrected.file, volume), corrected.correction)
    scan_id = intake.scan_id
    if np.array_equal(mask, _published_mask(basis.earlier.folder, scan_id)):
        raise MaskError(text("correction.same"))
    was_read = time.monotonic()
    volume = with_spacing(volume, known.past.spacing)
    findings = findings_on(volume, mask)
    segmentation = Segmentation(mask, mask.astype(np.float32), rules.threshold)
    write_files(volume, segmentation, staging, scan_id, save_probabilities=False)
    seconds = Seconds(
        read=round(was_read - began, 3),
        segment=0.0,
        write=round(time.monotonic() - was_read, 3),
    )
    occasion = occasion_of(intake, newest.patient_id, staging / SOURCE, seconds)
    used, lobes = basis.network_report.model, lobes_of(volume, mask)
    report = build_report(volume, findings, used, occasion, lobes).changed(
        mask=_told(corrected.correction, mask, basis),
        quality=_quality(newest, corrected.correction),
    )
    return finish_scan(report, volume, segmentation, staging, intake, rules, known)


def _checked(mask: MaskArray, correction: Correction) -> MaskArray:
    if not mask.any() and not correction.says_empty:
        raise MaskError(text("correction.empty"))
    if mask.any() and correction.says_empty:
        raise MaskError(text("correction.not_empty"))
    return mask


def _told(correction: Correction, mask: MaskArray, basis: Basis) -> CorrectedMask:
    """Whose mask it is, and how it agrees with the network's own."""
    report = basis.network_report
    before = _published_mask(basis.by_network, correction.scan_id)
    return CorrectedMask(
        source="corrected",
        by=correction.corrected_by,
        at=correction.at,
        sha256=correction.sha256,
        correction=correction.correction_key,
        agreement=MaskAgreement(
            revision=judged_revision(report),
            dice=round(dice(before > 0, mask > 0), 4),
            model_volume_ml=report.volume_ml,
        ),
    )


def _quality(newest: Report, correction: Correction) -> tuple[QualityNote, ...]:
    """What was doubtful of the scan itself, and who corrected its mask."""
    said = note("corrected", name=correction.corrected_by)
    kept = (each for each in newest.quality if each.code not in OF_OTHER_MASKS)
    return (*kept, quality_note(said))


def _published_mask(folder: Path, scan_id: str) -> NDArray[np.uint8]:
    """uint8 0/1 (i, j, k): the mask that a revision's folder holds."""
    picture = folder / f"{scan_id}_seg.png"
    drawn = (
        read_picture(picture) if picture.exists() else read_nifti(folder / f"{scan_id}_seg.nii.gz")
    )
    return (drawn.voxels > 0).astype(np.uint8)


log = logging.getLogger(__name__)


def earlier_of(outbox: Path, scan: ScanRow) -> Earlier:
    """A published scan as what comes late replaces it."""
    folder = outbox / os.fsdecode(scan.folder)
    doubtful = scan.report.input.may_belong_to or ()
    return Earlier(scan.scan_id, scan.revision, folder, scan.study_uid, doubtful)


async def past_of(job: Job, scan_id: str, patient_folder: bytes) -> Past:
    """What one scan is dated, compared and doubted by, as it is known now."""
    patient_id = job.queued.drop.patient_id
    points = await points_of(job.index, patient_id, patient_folder, scan_id)
    entered = await entered_date(job.records, scan_id)
    spacing = await entered_spacing(job.records, scan_id)
    return Past(
        points,
        (entered.acquired_on or None) if entered else None,
        spacing.spacing if spacing else None,
        await is_in_doubt(job.index, patient_id, scan_id),
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
        earlier = earlier_of(outbox, scan)
        report = await job.in_worker(
            worker_tasks.compare_into,
            staging,
            earlier,
            scan.report,
            job.rules,
            Circumstances(outbox, past, await job.entered(), job.asked),
        )
        publish(staging, outbox / folder)
    return row_of_report(report, os.fsencode(folder), now(), hashes_of(outbox / folder))


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
            correct_into,
            staging,
            Corrected(correction, file_of(outbox, correction)),
            basis,
            newest=newest.report,
            rules=job.rules,
            known=Circumstances(
                outbox,
                await past_of(job, newest.scan_id, os.path.dirname(newest.folder)),
                await job.entered(),
                job.asked,
            ),
        )
        publish(staging, outbox / folder)
    row = row_of_report(report, os.fsencode(folder), now(), hashes_of(outbox / folder))
    if report.mask and report.mask.correction == correction.correction_key:
        return row
    await ledger.take_over(job.index, row)
    await ledger.put_back(job.index, job.queued, rested=True, count_attempt=False)
    return None


def _basis(outbox: Path, revisions: list[ScanRow]) -> Basis:
    """The newest revision, and the newest of those whose mask is the network's own."""
    newest = revisions[0]
    by_network = next(row for row in revisions if row.report.mask is None)
    if by_network.finding == "not_judged":
        raise MaskError(text("correction.no_mask"))
    earlier = earlier_of(outbox, newest)
    return Basis(
        earlier=earlier,
        by_network=outbox / os.fsdecode(by_network.folder),
        network_report=by_network.report,
    )
