"""`gliowatch segment`: scans judged at once, without inbox, index or settings."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from daemon.drops import Drop, DropKind, DroppedFile
from daemon.inbox import drop_kind, identify
from daemon.logs import quiet_libraries
from daemon.outputs.text import Judged
from daemon.publishing import publish
from daemon.work import JudgingRules, judge_into, receive
from model.errors import GliowatchError, UnreadableScan


def segment_once(
    scans: list[Path], target: Path, patient_id: str, rules: JudgingRules
) -> Iterator[Judged]:
    """Judge each file, or folder of DICOM files, into `target/<scan_id>/`, one after the other.

    The input is never touched. A folder of an earlier run with the same scan is replaced.
    """
    quiet_libraries()
    target.mkdir(parents=True, exist_ok=True)
    for scan in scans:
        with tempfile.TemporaryDirectory(prefix=".staging-", dir=target) as staging:
            judged = _or_reason(scan.resolve(), target, patient_id, rules, Path(staging) / "scan")
        yield judged


def _or_reason(
    scan: Path, target: Path, patient_id: str, rules: JudgingRules, staging: Path
) -> Judged:
    try:
        with warnings.catch_warnings(action="ignore"):  # readers quote tags and file names
            return _segment(scan, target, patient_id, rules, staging)
    except GliowatchError as error:
        return Judged(scan.name, None, None, str(error))


def _segment(
    scan: Path, target: Path, patient_id: str, rules: JudgingRules, staging: Path
) -> Judged:
    drop = as_drop(scan, patient_id)
    intake = receive(scan.parent, drop, staging)
    report = judge_into(staging, patient_id, intake, rules)
    folder = target / intake.scan_id
    shutil.rmtree(folder, ignore_errors=True)
    publish(staging, folder)
    return Judged(scan.name, report, folder, None)


def as_drop(scan: Path, patient_id: str) -> Drop:
    """A file, or a folder of DICOM files, as if it had been dropped. Raises UnreadableScan."""
    if not scan.exists():
        raise UnreadableScan("There is no such file or folder.")
    if scan.is_file():
        files = [scan]
        kind = drop_kind(os.fsencode(scan.name))
    else:
        files = sorted(path for path in scan.rglob("*") if path.is_file() and not path.is_symlink())
        kind = DropKind.DICOM
        if any(drop_kind(os.fsencode(file.name)) is not DropKind.DICOM for file in files):
            raise UnreadableScan("A folder is one DICOM scan; name other files themselves.")
    if not files:
        raise UnreadableScan("The folder is empty.")
    dropped = tuple(_identify(scan.parent, file) for file in files)
    return Drop(os.fsencode(scan.name), patient_id, kind, False, dropped)


def _identify(root: Path, file: Path) -> DroppedFile:
    return identify(os.fsencode(file.relative_to(root)), file.lstat())
