"""A corrected mask inside the worker: opened, checked, and measured like the network's own."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon.drops import SOURCE
from daemon.index.people.corrections import Correction
from daemon.intake.ingest import Earlier
from daemon.intake.late_files import files_below, take_again
from daemon.outputs.catalogue import text
from daemon.outputs.report_builder import build_report, quality_note
from daemon.outputs.scan_folder import write_files
from daemon.outputs.wording import WHY_REVISED
from daemon.pipeline.worker_tasks import AnalysisRules, finish_scan, occasion_of
from daemon.report import Report
from daemon.report_parts import CorrectedMask, MaskAgreement, QualityNote, Seconds
from daemon.scan_history import Past, judged_revision
from model.errors import MaskError
from model.geometry import dice
from model.inference.segmentation import Segmentation
from model.measurement.given_masks import findings_on
from model.measurement.lobes import lobes_of
from model.reading.dicom.patient_tags import Identity
from model.reading.drawn_masks import read_corrected
from model.reading.images import read_picture
from model.reading.nifti import read_nifti
from model.reading.read import read, with_spacing
from model.volume import MaskArray, note

OF_OTHER_MASKS = (  # codes of notes that spoke of the mask before, or of one revision alone
    *("low_confidence", "several_places", "no_dicom_objects", "no_dicom_seg", "corrected"),
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
    study_uid: str | None
    by_network: Path
    network_report: Report


def correct_into(
    staging: Path,
    corrected: Corrected,
    basis: Basis,
    newest: Report,
    rules: AnalysisRules,
    outbox: Path,
    past: Past,
    entered: Identity | None,
) -> Report:
    """Write a revision whose mask is a person's, synced; its report. newest: the report before.

    Range, confidence and probabilities are the network's and do not hold for it: they are null.
    Raises MaskError or UnreadableScan with the reason why it cannot be taken.
    """
    began = time.monotonic()
    intake = take_again(staging, basis.earlier, basis.study_uid)
    volume = read(intake.scan, rules.flair)
    mask = _checked(read_corrected(corrected.file, volume), corrected.correction)
    scan_id = intake.scan_id
    if np.array_equal(mask, _published_mask(basis.earlier.folder, scan_id)):
        raise MaskError(text("correction.same"))
    was_read = time.monotonic()
    volume = with_spacing(volume, past.spacing)
    findings = findings_on(volume, mask)
    segmentation = Segmentation(mask, mask.astype(np.float32), rules.threshold)
    write_files(volume, segmentation, staging, scan_id, save_probabilities=False)
    seconds = Seconds(
        read=round(was_read - began, 3),
        segment=0.0,
        write=round(time.monotonic() - was_read, 3),
    )
    files = len(files_below(staging / SOURCE))
    occasion = occasion_of(intake, newest.patient_id, files, seconds)
    used, lobes = basis.network_report.model, lobes_of(volume, mask)
    return finish_scan(
        build_report(volume, findings, used, occasion, lobes).changed(
            mask=_told(corrected.correction, mask, basis),
            quality=_quality(newest, corrected.correction),
        ),
        volume=volume,
        segmentation=segmentation,
        staging=staging,
        intake=intake,
        outbox=outbox,
        past=past,
        rules=rules,
        entered=entered,
    )


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
