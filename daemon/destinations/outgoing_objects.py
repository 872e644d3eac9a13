"""The DICOM objects of a result, or beside one, as files to send: kind and hash of each."""

import hashlib
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from daemon.dicom_node.outgoing_classes import kind_of_class
from daemon.drops import DICOM, SOURCE, objects_folder
from daemon.index.sent_objects import Outgoing
from daemon.pipeline.outbox import EXTRA

ENDING = ".dcm"
ORDER = ("seg", "sr", "sc", "pdf", "ko")  # a report refers to a segmentation that is there


def objects_of_result(outbox: Path, folder: bytes, scan_id: str, revision: int) -> list[Outgoing]:
    """All objects of a published folder in the order in which they go. Raises OSError."""
    place = objects_folder(outbox / os.fsdecode(folder))
    return _objects_below(outbox, place, scan_id, revision)


def objects_beside(outbox: Path, scan_id: str) -> list[Outgoing]:
    """Those that were made after a result, or for a study that became none."""
    return _objects_below(outbox, outbox / EXTRA / scan_id / DICOM, scan_id, 0)


def scans_with_objects_beside(outbox: Path) -> Iterator[tuple[str, int]]:
    """The id of each scan that has such a folder, and when something came into it: ns."""
    try:
        names = sorted(each.name for each in os.scandir(outbox / EXTRA))
    except FileNotFoundError:
        return
    for name in names:
        place = outbox / EXTRA / name / DICOM
        times = [each.stat().st_mtime_ns for each in (place, *place.glob("*/")) if each.is_dir()]
        if times:
            yield name, max(times)


def _objects_below(outbox: Path, place: Path, scan_id: str, revision: int) -> list[Outgoing]:
    found = []
    for path in sorted(place.rglob(f"*{ENDING}")):
        if SOURCE in path.relative_to(place).parts or path.name.startswith("."):
            continue
        content = path.read_bytes()
        kind = kind_of(content)
        if kind is not None:
            digest = hashlib.sha256(content).hexdigest()
            below = os.fsencode(path.relative_to(outbox))
            found.append(Outgoing(digest, scan_id, revision, kind, below))
    return sorted(found, key=lambda each: ORDER.index(each.kind))


def kind_of(content: bytes) -> str | None:
    """What an object is, by its SOP class; None for one that is none of ours."""
    try:
        head = dcmread(BytesIO(content), specific_tags=["SOPClassUID"], stop_before_pixels=True)
    except (InvalidDicomError, EOFError, ValueError):
        return None
    return kind_of_class(str(head.get("SOPClassUID", "")))


def whole_object(outbox: Path, path: bytes, sha256: str) -> bytes | None:
    """The file's bytes; None if it is gone, or its bytes are other ones than were entered."""
    try:
        content = (outbox / os.fsdecode(path)).read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    return content if hashlib.sha256(content).hexdigest() == sha256 else None
