"""A revision of a published scan whose patient data were corrected, inside the worker.

Mask, pictures and numbers stay as they were; what names the patient is made anew.
"""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.drops import SOURCE
from daemon.intake.ingest import UNPACKED, Intake
from daemon.intake.late_files import link_tree
from daemon.outputs.manifest import write_manifest
from daemon.outputs.report_builder import quality_note
from daemon.outputs.scan_folder import write_report
from daemon.outputs.wording import WHY_REVISED
from daemon.pipeline.worker_tasks import Circumstances
from daemon.report import Report
from daemon.report_parts import Seconds, StudyOfScan
from daemon.safe_files import sync_tree
from daemon.scan_history import judged_revision, series_in, spacing_in
from model.inference.segmentation import Segmentation
from model.reading.dicom.patient_tags import Identity
from model.reading.nifti import read_nifti
from model.reading.read import read_again, with_spacing
from model.rules import FlairRules
from model.volume import Note

if TYPE_CHECKING:
    from daemon.outputs.dicom.result_objects import Written

NAMES_PATIENT = (  # what a result's folder holds for the PACS and for people
    *("_report.json", "_report.pdf", "_manifest.json", "_seg.dcm", "_sr.dcm", "_report.dcm"),
    "_overlay",
)
OBJECTS = "dicom"
ANEW = ("identity_conflict", "filed_twice")  # codes of notes that are asked for again


def relabel_into(
    staging: Path,
    intake: Intake,
    report: Report,
    notes: tuple[Note, ...],
    flair: FlairRules,
    known: Circumstances,
) -> Report:
    """Write the revision, synced; its report. report: the one before; notes: why, for people."""
    earlier, name = intake.earlier, intake.scan_id
    assert earlier is not None, "what is corrected was published"
    kept = [f"{name}{ending}" for ending in NAMES_PATIENT]
    link_tree(earlier.folder, staging, [*kept, OBJECTS, SOURCE])
    study = intake.study
    quality = [each for each in report.quality if each.code not in (*WHY_REVISED, *ANEW)]
    revised = report.changed(
        revision=earlier.revision + 1,
        supersedes=earlier.revision,
        judged_revision=judged_revision(report),
        input=report.input.changed(
            study=StudyOfScan.of(**asdict(study)) if study else None,
            files=sum(path.is_file() for path in (staging / SOURCE).rglob("*")),
        ),
        quality=(*quality, *map(quality_note, notes)),
        seconds=Seconds(read=0.0, segment=0.0, write=0.0),
    )
    revised, written = _with_objects(staging, intake, revised, flair, known)
    shutil.rmtree(staging / UNPACKED, ignore_errors=True)
    write_report(revised, known.entered or Identity(report.patient_id), staging, written)
    write_manifest(revised, staging)
    sync_tree(staging)
    return revised


def _with_objects(
    staging: Path, intake: Intake, report: Report, flair: FlairRules, known: Circumstances
) -> "tuple[Report, Written]":
    """The DICOM objects of the mask as it was, which name the patient as the files do now."""
    from daemon.outputs.dicom.result_objects import (
        write_objects,  # highdicom: only a worker needs it
    )

    series = staging / f"{intake.scan_id}_flair.nii.gz"
    read = read_again(intake.scan, series, flair, series_in(report))
    volume = with_spacing(read, spacing_in(report))
    segmentation = None
    if report.finding != "not_judged":
        drawn = read_nifti(staging / f"{intake.scan_id}_seg.nii.gz")
        mask = (drawn.voxels > 0).astype(np.uint8)
        segmentation = Segmentation(mask, mask.astype(np.float32), report.model.threshold)
    before = intake.earlier.folder if intake.earlier else None
    written = write_objects(volume, segmentation, report, staging, before=before, asked=known.asked)
    doubt = written.doubt
    if doubt is None or report.has_note(doubt.code):
        return report, written
    return report.changed(quality=(*report.quality, quality_note(doubt))), written
