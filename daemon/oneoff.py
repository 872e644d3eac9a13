"""`gliowatch segment`: scans judged at once, without inbox, index or settings."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from daemon.drops import Drop, DropKind, DroppedFile
from daemon.inbox import drop_kind, identify
from daemon.outputs.text import Judged
from daemon.publishing import STAGING, clear_staging, new_staging, publish
from daemon.work import JudgingRules, judge_into, receive
from model.errors import GliowatchError, UnreadableScan


def segment_once(
    scans: list[Path], target: Path, patient_id: str, rules: JudgingRules
) -> Iterator[Judged]:
    """Judge each file, or folder of DICOM files, into `target/<scan_id>/`, one after the other.

    The input is never touched. A folder of an earlier run with the same scan is replaced.
    """
    clear_staging(target)
    try:
        for number, scan in enumerate(scans):
            try:
                yield _segment(scan, target, patient_id, rules, number)
            except GliowatchError as error:
                yield Judged(scan.name, None, None, str(error))
    finally:
        shutil.rmtree(target / STAGING, ignore_errors=True)


def _segment(scan: Path, target: Path, patient_id: str, rules: JudgingRules, number: int) -> Judged:
    scan = Path(os.path.abspath(scan))
    drop = _as_drop(scan, patient_id)
    staging = new_staging(target, str(number))
    intake = receive(scan.parent, drop, staging)
    report = judge_into(staging, patient_id, intake, rules)
    folder = target / intake.scan_id
    shutil.rmtree(folder, ignore_errors=True)
    publish(staging, folder)
    return Judged(scan.name, report, folder, None)


def _as_drop(scan: Path, patient_id: str) -> Drop:
    if not scan.exists():
        raise UnreadableScan("There is no such file or folder.")
    if scan.is_file():
        files = [scan.resolve()]
        if files[0].parent != scan.parent:  # a link: its target is what is read
            raise UnreadableScan("The scan is a link; name the file that it leads to.")
        kind = drop_kind(os.fsencode(scan.name))
    else:
        files = sorted(path for path in scan.rglob("*") if path.is_file() and not path.is_symlink())
        kind = DropKind.DICOM
    if not files:
        raise UnreadableScan("The folder is empty.")
    dropped = tuple(_identify(scan.parent, file) for file in files)
    return Drop(os.fsencode(scan.name), patient_id, kind, False, dropped)


def _identify(root: Path, file: Path) -> DroppedFile:
    return identify(os.fsencode(file.relative_to(root)), file.lstat())
