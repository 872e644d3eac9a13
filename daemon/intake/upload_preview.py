"""What an upload holds, told before it is sent: inside a worker, from the headers of its files.

The same functions tell drops, studies and series apart as when the scan is analyzed.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from daemon.drops import Drop, DropKind, readable
from daemon.intake.dropped_files import FilesChanged
from daemon.intake.ingest import hash_content, hash_file, one_scan, scan_of
from daemon.intake.study_split import members_of, part_by_study
from daemon.outputs.catalogue import text
from model.errors import UnreadableScan
from model.reading.archive import unpack
from model.reading.dicom.patient_tags import Identity, named_in
from model.reading.read import ScanPreview, preview_scan
from model.rules import FlairRules
from model.volume import Kind, Scan


@dataclass(frozen=True)
class Preview:
    """One scan of an upload. key: opaque; group: the same for all of one zip file; label: what its
    file or folder is called.

    glance is None where it cannot be read, and fault says why; patients: whom DICOM files name.
    """

    key: str
    group: str
    drop: Drop
    label: str
    glance: ScanPreview | None
    fault: str = ""
    patients: tuple[Identity, ...] = ()


def preview(root: Path, drop: Drop, rules: FlairRules) -> tuple[Preview, ...]:
    """Each scan of a drop below `root`; one that cannot be read says so."""
    try:
        with tempfile.TemporaryDirectory(dir=root) as scratch:
            studies: tuple[Drop, ...] = (drop,)
            if drop.kind in (DropKind.DICOM, DropKind.ZIP):
                studies = part_by_study(root, drop, Path(scratch))
            return tuple(_one(root, study, rules, Path(scratch)) for study in studies)
    except (UnreadableScan, FilesChanged) as error:
        return (preview_failed(drop, str(error)),)
    except OSError:  # sent or given up meanwhile, or no room to unpack
        return (preview_failed(drop, text("intake.not_now")),)


def preview_failed(drop: Drop, fault: str) -> Preview:
    """A drop that cannot be read."""
    return Preview(
        key=_key(drop.unit),
        group=_group(drop),
        drop=drop,
        label=_label(drop),
        glance=None,
        fault=fault,
    )


def content_of(root: Path, drop: Drop) -> str:
    """The hash of a scan's content, as its intake will find it. Raises UnreadableScan."""
    with tempfile.TemporaryDirectory(dir=root) as scratch:
        paths = _paths(root, drop, Path(scratch))
        _, digests, _ = one_scan([(path, hash_file(path)) for path in paths], paths)
        return hash_content(digests)


def _one(root: Path, drop: Drop, rules: FlairRules, scratch: Path) -> Preview:
    try:
        paths = _paths(root, drop, scratch)
        scan = scan_of(list(paths), paths)
        patients = named_in(scan.files).identities if scan.kind is Kind.DICOM else ()
        return Preview(
            key=_key(drop.unit),
            group=_group(drop),
            drop=drop,
            label=_label(drop),
            glance=_glance(scan, rules),
            patients=patients,
        )
    except UnreadableScan as error:
        return preview_failed(drop, str(error))


def _glance(scan: Scan, rules: FlairRules) -> ScanPreview:
    try:
        return preview_scan(scan, rules)
    except UnreadableScan:
        raise
    except MemoryError:
        raise UnreadableScan(text("intake.out_of_memory")) from None
    except Exception as error:  # pydicom analyzes a value only when it is asked for
        raise UnreadableScan(text("intake.damaged_headers")) from error


def _paths(root: Path, drop: Drop, scratch: Path) -> dict[Path, str]:
    """The files to read, by their names: a drop's own, or what its archive holds of its study."""
    paths = {root / os.fsdecode(file.path): os.fsdecode(file.path) for file in drop.files}
    if drop.kind is not DropKind.ZIP:
        return paths
    folder = Path(tempfile.mkdtemp(dir=scratch))
    names = unpack(next(iter(paths)), folder)
    return {member: names[member] for member in members_of(drop, tuple(names))}


def _key(unit: bytes) -> str:
    return hashlib.sha256(unit).hexdigest()[:12]


def _group(drop: Drop) -> str:
    return _key(drop.place if drop.kind is DropKind.ZIP else drop.unit)


def _label(drop: Drop) -> str:
    """The file's name; of a folder of DICOM files that of the innermost folder of them all."""
    if drop.kind is not DropKind.DICOM or len(drop.files) == 1:
        main = min((file.path for file in drop.files), key=lambda path: (path != drop.place, path))
        return readable(os.path.basename(main))
    common = os.path.commonpath([os.path.dirname(file.path) for file in drop.files])
    below = common.split(b"/")[2:]  # the stand-in for the patient, and the upload's own folder
    return readable(below[-1]) if below else text("upload.files", count=len(drop.files))
