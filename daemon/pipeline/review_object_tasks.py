"""What a PACS hears beside results, inside a worker: of rejected studies, and of reviews."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from daemon.drops import SOURCE, Drop, DropKind, objects_folder
from daemon.intake.dropped_files import open_dropped
from daemon.intake.late_files import scan_in
from daemon.outputs.catalogue import text
from daemon.outputs.dicom.review_statement import MeasuredByHand, Verdict
from daemon.pipeline.extra_objects import document_name, has_object, keep_object
from daemon.report import Report
from daemon.scan_history import series_in
from model.errors import UnreadableScan
from model.reading.archive import unpack
from model.reading.read import read_again
from model.rules import FlairRules


def tell_refusal(inbox: Path, drop: Drop, outbox: Path, reason: str) -> int:
    """Write an SR for each study among the files of a drop that is about to be rejected, to
    `.extra/<drop>/dicom/`; how many there are."""
    from daemon.outputs.dicom.refusal import refusals  # highdicom: only a worker needs it

    key = drop_key(drop)
    made = list(refusals(_opened(inbox, drop), key, reason))
    for number, content in enumerate(made, start=1):
        ending = "sr.dcm" if number == 1 else f"sr{number}.dcm"
        keep_object(outbox, key, f"{key}_{ending}", content)
    return len(made)


def drop_key(drop: Drop) -> str:
    """What a drop goes by in the outbox: opaque, and the same at every try."""
    looks = [repr((file.path, file.size, file.mtime_ns)) for file in drop.files]
    told = "\0".join(["gliowatch drop", drop.patient_id, *sorted(looks)])
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:20]


def _opened(inbox: Path, drop: Drop) -> Iterator[BinaryIO]:
    """One file after the other, of a zip its members: there may be more than a process may hold
    open. Raises UnreadableScan for a zip that is damaged or beyond its budget."""
    for file in drop.files:
        with open_dropped(inbox, file) as stream:
            if drop.kind is DropKind.ZIP:
                yield from _members(inbox / os.fsdecode(file.path))
            else:
                yield stream


def _members(archive: Path) -> Iterator[BinaryIO]:
    """The files in a zip, unpacked in the worker's own scratch folder."""
    with TemporaryDirectory() as folder:
        for path in unpack(archive, Path(folder)):
            with path.open("rb") as stream:
                yield stream


@dataclass(frozen=True)
class Reviewed:
    """A result and what was said of it. folder: its own, below the outbox; later: the folder of the
    revision that took its place, where that is what there is to say."""

    report: Report
    folder: Path
    verdict: Verdict
    later: Path | None = None

    @property
    def name(self) -> str:
        """The name of the object that tells it."""
        kind = "sr" if self.verdict.accepted else "ko"
        scan = f"{self.report.scan_id}-r{self.report.revision}"
        if self.later is not None:
            return f"{scan}_superseded_{kind}.dcm"
        return f"{scan}_review{self.verdict.number}_{kind}.dcm"


def tell_review(outbox: Path, reviewed: Reviewed) -> bool:
    """Write the object of a review beside its scan, once; False where there is nothing to tell."""
    scan_id = reviewed.report.scan_id
    if has_object(outbox, scan_id, reviewed.name):
        return True
    from daemon.outputs.dicom.review_objects import (
        review_object,  # highdicom: only a worker needs it
    )

    objects = objects_folder(outbox / reviewed.folder)
    later = objects_folder(outbox / reviewed.later) if reviewed.later else None
    made = review_object(objects, reviewed.report, reviewed.verdict, later)
    if made is not None:
        keep_object(outbox, scan_id, reviewed.name, made)
    return made is not None


@dataclass(frozen=True)
class LeftByHand:
    """A person's measurements on a result's scan, to be left as a document. folder: the result's,
    below the outbox; study_uid: of its study; number: of the wish."""

    report: Report
    folder: Path
    study_uid: str | None
    number: int
    said: MeasuredByHand

    @property
    def name(self) -> str:
        """The name of the object that tells it."""
        return document_name(self.report.scan_id, self.report.revision, self.number)


def tell_by_hand(outbox: Path, left: LeftByHand, rules: FlairRules) -> bool:
    """Write the SR of measurements beside their scan, once; False where there is no study to join.

    Raises UnreadableScan where the scan's own files are no longer those that were measured on.
    """
    report = left.report
    if has_object(outbox, report.scan_id, left.name):
        return True
    from daemon.outputs.dicom.measured_by_hand import (
        measured_by_hand,  # highdicom: only a worker needs it
    )

    folder = outbox / left.folder
    with TemporaryDirectory() as scratch:
        scan = scan_in(folder / SOURCE, Path(scratch), left.study_uid)
        kept = folder / f"{report.scan_id}_flair.nii.gz"
        volume = read_again(scan, kept, rules, series_in(report))
        if volume.shape != report.input.shape:
            raise UnreadableScan(text("measuring.other_files"))
        made = measured_by_hand(volume, report, left.said)
    if made is not None:
        keep_object(outbox, report.scan_id, left.name, made)
    return made is not None
