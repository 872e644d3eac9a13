"""Date, change and growth curve of a report, inside the worker: compared with published scans."""

import logging
import os
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.drops import DICOM, SOURCE
from daemon.intake.ingest import Earlier
from daemon.intake.late_files import link_tree, scan_in
from daemon.outputs.growth_chart import save_growth
from daemon.outputs.manifest import write_manifest
from daemon.outputs.report_builder import change_since, quality_note
from daemon.outputs.scan_folder import write_report
from daemon.outputs.wording import WHY_REVISED
from daemon.pipeline.outbox import gather_objects
from daemon.report import Report
from daemon.report_parts import Seconds
from daemon.safe_files import sync_tree
from daemon.scan_history import (
    MAY_LACK,
    Past,
    Point,
    curve_of,
    days_between,
    history_of,
    judged_revision,
    point_of,
    prior_of,
    series_in,
    spacing_in,
    wants_date,
)
from model.errors import GliowatchError
from model.inference.analysis import DATE_UNKNOWN
from model.measurement.change import Change, Marked, Measured, compare
from model.measurement.repeatability import Repeatability, load_repeatability
from model.reading.dicom.patient_tags import Identity
from model.reading.nifti import read_nifti
from model.reading.read import read_each, with_spacing
from model.registration.rigid import register
from model.rules import ChangeRules, FlairRules
from model.volume import Volume, note

if TYPE_CHECKING:
    from daemon.outputs.dicom.comparison_objects import ComparedObjects

log = logging.getLogger(__name__)

DATED = "date_entered"  # code of a note
GROWTH = "{scan_id}_growth.png"
REPORTS = ("{scan_id}_report.json", "{scan_id}_report.pdf", "{scan_id}_manifest.json", GROWTH)
Remeasured = Callable[
    [], tuple[Volume, Marked]
]  # a scan and its mask, read when they are asked for


def with_past(
    report: Report,
    seen: Remeasured,
    staging: Path,
    outbox: Path | None,
    past: Past,
    rules: ChangeRules,
    flair: FlairRules,
) -> Report:
    """A report that is not written yet, with date, change and history; the curve is drawn.

    outbox: where the folders of `past` lie; None where there is no past.
    """
    began = time.monotonic()
    dated = _dated(report, past.date_entered).changed(change=None, history=None)
    dated = _doubted(dated, past.may_lack)
    me = point_of(dated, b"")
    if me is None or outbox is None:
        return dated
    prior, change = prior_of(me.at, past.points), None
    if prior is not None:
        folder = outbox / os.fsdecode(prior.folder)
        found = _change(me, seen, prior, _published(prior, folder, staging, flair), rules)
        change = change_since(found, prior.scan_id, prior.analyzed, prior.at)
    history = history_of(curve_of(me, past.points))
    if history:
        save_growth(history, staging / GROWTH.format(scan_id=me.scan_id))
    seconds = dated.seconds.changed(compare=round(time.monotonic() - began, 3))
    return dated.changed(change=change, history=history, seconds=seconds)


def compare_published(
    staging: Path,
    earlier: Earlier,
    report: Report,
    patient: Identity,
    outbox: Path,
    past: Past,
    asked: datetime | None,
    rules: ChangeRules,
    flair: FlairRules,
) -> Report:
    """A revision with the masks and pictures of the one before, dated and compared anew."""
    name = earlier.scan_id
    link_tree(earlier.folder, staging, [each.format(scan_id=name) for each in REPORTS])
    quality = [each for each in report.quality if each.code not in WHY_REVISED]
    revised = with_past(
        report.changed(
            revision=earlier.revision + 1,
            supersedes=earlier.revision,
            judged_revision=judged_revision(report),
            quality=(*quality, quality_note(note("compared_again"))),
            seconds=Seconds(read=0.0, segment=0.0, write=0.0),
        ),
        seen=_published(Point("", name, b"", report), earlier.folder, staging, flair),
        staging=staging,
        outbox=outbox,
        past=past,
        rules=rules,
        flair=flair,
    )
    gather_objects(staging, name)
    write_report(revised, patient, staging, _compared_objects(staging, revised, asked))
    write_manifest(revised, staging)
    sync_tree(staging)
    return revised


def _compared_objects(
    staging: Path, report: Report, asked: datetime | None
) -> "ComparedObjects | None":
    """The SR of the revision before, made anew if it says another change now."""
    if not (staging / DICOM / f"{report.scan_id}_sr.dcm").is_file():
        return None
    from daemon.outputs.dicom.comparison_objects import (
        compare_objects,  # highdicom: only a worker needs it
    )

    return compare_objects(staging / DICOM, report, asked)


def _dated(report: Report, entered: str | None) -> Report:
    """Where the files do not say, the date that a person entered; the notes say which it is."""
    if not wants_date(report):
        return report.changed(date_entered=None)
    said = quality_note(note(DATED if entered else DATE_UNKNOWN))
    quality = [said if each.code in (DATE_UNKNOWN, DATED) else each for each in report.quality]
    return report.changed(date_entered=entered, quality=tuple(quality))


def _doubted(report: Report, may_lack: bool) -> Report:
    """Whether slices that were not joined may belong to it."""
    if report.has_note(MAY_LACK) is may_lack:
        return report
    kept = tuple(each for each in report.quality if each.code != MAY_LACK)
    said = (quality_note(note(MAY_LACK)),) if may_lack else ()
    return report.changed(quality=(*kept, *said))


def _change(
    me: Point, seen: Remeasured, prior: Point, seen_before: Remeasured, rules: ChangeRules
) -> Change:
    """Numbers always; the heads are registered only where lesions have to be matched."""
    now = _look(seen, me.scan_id)
    before = _look(seen_before, prior.scan_id)
    registration = None
    if now and before and now[1].mask.any() and before[1].mask.any():
        registration = register(now[0], before[0])
    return compare(
        _measured(prior.report, before[1] if before else None),
        _measured(me.report, now[1] if now else None),
        days=days_between(prior.at, me.at),
        registration=registration,
        rules=rules,
        repeatability=_repeatability(me.report),
    )


def _repeatability(report: Report) -> Repeatability | None:
    """Of the network whose mask it is; of masks that people drew nothing is known."""
    if report.mask is not None:
        return None
    return load_repeatability(report.model.weights_sha256, report.model.threshold)


def _look(seen: Remeasured, scan_id: str) -> tuple[Volume, Marked] | None:
    """None where the files cannot be read any more: then only numbers are compared."""
    try:
        return seen()
    except (GliowatchError, OSError):
        log.warning("not_readable_again", extra={"scan": scan_id})
        return None


def _measured(report: Report, marked: Marked | None) -> Measured:
    assert report.volume_ml is not None, "what is compared has a volume"
    longest = [lesion.longest_diameter_mm or 0.0 for lesion in report.lesions]
    return Measured(
        volume_ml=report.volume_ml,
        longest_mm=max(longest, default=0.0),
        volume_range=report.volume_ml_range,
        analyzed_by=(report.model.weights_sha256, report.model.threshold),
        declared=not report.has_note("units_unknown"),
        marked=marked,
        corrected=report.mask is not None,
        incomplete=report.is_incomplete,
    )


def _published(point: Point, folder: Path, staging: Path, flair: FlairRules) -> Remeasured:
    """A published scan as it was analyzed, and its mask."""

    def seen() -> tuple[Volume, Marked]:
        drawn = read_nifti(folder / f"{point.scan_id}_seg.nii.gz")
        mask = (drawn.voxels > 0).astype("uint8")
        volume = analyzed_volume(point.scan_id, point.report, folder, staging, flair)
        is_entered = volume.file_affine is not None  # the mask lies on the file's own affine
        return volume, Marked(mask, volume.affine if is_entered else drawn.affine)

    return seen


def analyzed_volume(
    scan_id: str, report: Report, folder: Path, scratch: Path, flair: FlairRules
) -> Volume:
    """The series that was analyzed: kept apart of DICOM, else read again from what was dropped.

    folder: where it was published; an archive is unpacked in `scratch`. Raises GliowatchError.
    """
    series = folder / f"{scan_id}_flair.nii.gz"
    if report.input.kind == "dicom" and series.exists():
        return read_nifti(series)
    study = report.input.study
    with tempfile.TemporaryDirectory(dir=scratch) as unpacked:
        scan = scan_in(folder / SOURCE, Path(unpacked), study.uid if study else None)
        volume = next(read_each(scan, flair, series_in(report)))
        return with_spacing(volume, spacing_in(report))
