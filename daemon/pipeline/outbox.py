"""The outbox: a result appears by one rename, whole or not at all; and what lies there now."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.drops import DICOM, SOURCE
from daemon.outputs.manifest import as_column, known_files
from daemon.report import Report, read_report
from daemon.safe_files import sync_folder

STAGING = ".staging"
DAMAGED = ".damaged"


def clear_staging(outbox: Path) -> None:
    """At start: what lies in the staging folder was cut off by a crash, and is made anew."""
    shutil.rmtree(outbox / STAGING, ignore_errors=True)
    (outbox / STAGING).mkdir(parents=True, exist_ok=True)


@contextmanager
def staging_folder(outbox: Path, name: str) -> Iterator[Path]:
    """An empty folder on the outbox's own file system, so that a rename can publish it."""
    folder = outbox / STAGING / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)  # never the outbox itself: it may be away
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def revision_folder(patient_folder: bytes, scan_id: str, revision: int) -> Path:
    """Where a revision of a scan is published, below the outbox."""
    name = scan_id if revision == 1 else f"{scan_id}-r{revision}"
    return Path(os.fsdecode(patient_folder)) / name


def published_report(outbox: Path, folder: Path, scan_id: str) -> Report | None:
    """The report of a revision's folder that was published before, or None.

    A folder without a readable report is none of ours, or was damaged: it is moved aside to
    `.damaged`, so that the scan can be published anew.
    """
    place = outbox / folder
    if not os.path.lexists(place):
        return None
    try:
        return read_report((place / f"{scan_id}_report.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        aside = outbox / DAMAGED / f"{folder.name}-{secrets.token_hex(4)}"
        aside.parent.mkdir(exist_ok=True)
        place.rename(aside)
        return None


def publish(staging: Path, folder: Path) -> None:
    """Rename `staging`, whose files its writer has synced, to `folder`, which is not there yet."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging.rename(folder)
    sync_folder(folder.parent)
    sync_folder(folder.parent.parent)


@dataclass(frozen=True)
class Published:
    """A folder of the outbox: its path below it, and its report; None if that cannot be read."""

    folder: bytes
    report: Report | None


def published_results(outbox: Path) -> Iterator[Published]:
    """Every patient's every folder, by name, with its report."""
    for folder in published_folders(outbox):
        yield Published(folder, report_in(outbox / os.fsdecode(folder)))


def published_folders(outbox: Path) -> Iterator[bytes]:
    """Every patient's every folder, by name; hidden ones are our own workshop."""
    for patient in _folders(os.fsencode(outbox)):
        for name in _folders(os.path.join(os.fsencode(outbox), patient)):
            yield os.path.join(patient, name)


def source_files(folder: Path) -> list[Path]:
    """The dropped files that a published folder keeps, by path."""
    walked = os.walk(folder / SOURCE)
    paths = (Path(place, name) for place, _, names in walked for name in names)
    return sorted(path for path in paths if path.is_file())


def scan_of(folder: Path) -> str:
    """The scan_id that a published folder's name tells, of whatever revision."""
    return folder.name.partition("-r")[0]


def hashes_of(folder: Path) -> str:
    """What a published folder's manifest says, as the index keeps it; '' without a manifest."""
    known = known_files(folder, scan_of(folder))
    return as_column(known) if known else ""


def gather_objects(folder: Path, scan_id: str) -> None:
    """What earlier versions left beside the report lies in `dicom/` in every new revision."""
    for name in (f"{scan_id}_seg.dcm", f"{scan_id}_sr.dcm", f"{scan_id}_overlay"):
        if (folder / name).exists():
            (folder / DICOM).mkdir(exist_ok=True)
            (folder / name).rename(folder / DICOM / name)


def report_file(folder: Path) -> Path:
    """Where the report for machines lies in a published folder."""
    return folder / f"{scan_of(folder)}_report.json"


def _folders(place: bytes) -> list[bytes]:
    try:
        with os.scandir(place) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith(b"."))
    except FileNotFoundError:
        return []


def report_in(folder: Path) -> Report | None:
    """The report of a published folder, or None if it has none that can be read."""
    scan_id = scan_of(folder)
    try:
        report = read_report(report_file(folder).read_bytes())
    except (OSError, ValueError):
        return None
    return report if report.scan_id == scan_id else None
