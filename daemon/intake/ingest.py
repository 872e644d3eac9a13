"""Taking a drop in, inside the worker: its bytes are read once, hashed, and copied aside.

What is analyzed is the copy, so a file that changes meanwhile cannot make the result lie.
"""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from daemon.drops import SOURCE, Drop, DropKind, DroppedFile, hash_scan
from daemon.intake.dropped_files import FilesChanged, check_unchanged, open_dropped
from daemon.intake.study_split import members_of
from daemon.outputs.catalogue import text
from model.errors import UnreadableScan
from model.reading.archive import unpack
from model.reading.dicom.files import is_dicom
from model.reading.dicom.patient_tags import Identity, Named, Study, named_in
from model.reading.dicom.pixels import picture_digest
from model.rules import kind_by_name
from model.volume import Kind, Scan

CHUNK = 1 << 20
LONGEST_PATH = 1000  # bytes, of a file below its drop
Hashed = tuple[Path, str]  # a file and its SHA-256
UNPACKED = "unpacked"


@dataclass(frozen=True)
class Earlier:
    """The newest published revision of a scan that files came late for."""

    scan_id: str
    revision: int
    folder: Path


@dataclass(frozen=True)
class Intake:
    """A drop that lies copied and hashed in its staging folder.

    scan_id: opaque; hashes: SHA-256 of each dropped file by its path below the inbox;
    content_sha256: of the image files alone, whatever their names and order; named: whom and
    which study DICOM files name; pictures: one hash of each DICOM picture; earlier: what this
    joins and replaces, if it came late.
    """

    scan_id: str
    content_sha256: str
    scan: Scan
    hashes: dict[bytes, str]
    named: Named = field(default_factory=Named)
    pictures: frozenset[str] = frozenset()
    earlier: Earlier | None = None

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The patients whom its DICOM files name."""
        return self.named.identities

    @property
    def revision(self) -> int:
        """Which revision of its scan it will be."""
        return self.earlier.revision + 1 if self.earlier else 1

    @property
    def study(self) -> Study | None:
        """The study of its DICOM files: the first by its digits, where they give several numbers
        to one study."""
        return self.named.studies[0] if self.named.studies else None

    @property
    def dicom_ids(self) -> frozenset[str]:
        """The PatientIDs of its DICOM files."""
        return frozenset(identity.patient_id for identity in self.identities)


def take_in(inbox: Path, drop: Drop, staging: Path) -> Intake:
    """Copy a drop to `staging/source`, synced, and tell which scan it is.

    Raises FilesChanged, or UnreadableScan for an archive that does not hold one scan.
    """
    source = staging / SOURCE
    source.mkdir(parents=True)
    copies: list[Hashed] = []
    for file in drop.files:
        copy = source / os.fsdecode(_name_in_source(drop, file, len(copies)))
        while os.path.lexists(copy):  # a number that was given is the name of another file
            copy = copy.with_name(f"_{copy.name}")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copies.append((copy, _copy(inbox, file, copy)))
    scan, digests, pictures = _scan_of(drop, copies, staging)
    hashes = {file.path: digest for file, (_, digest) in zip(drop.files, copies, strict=True)}
    content = hash_content(digests)
    named = named_in(scan.files) if scan.kind is Kind.DICOM else Named()
    return Intake(
        scan_id=hash_scan(drop.patient_id, content),
        content_sha256=content,
        scan=scan,
        hashes=hashes,
        named=named,
        pictures=pictures,
    )


def hash_content(digests: list[str]) -> str:
    """One SHA-256 for the image files of a scan, from theirs; names and order do not count."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def _name_in_source(drop: Drop, file: DroppedFile, number: int) -> bytes:
    """The file's path below its drop: its bare name, or its path in a DICOM folder.

    A path too long to be repeated further down becomes a number and the end of the name.
    """
    is_folder = drop.kind is DropKind.DICOM and file.path != drop.place
    path = os.path.relpath(file.path, drop.place if is_folder else os.path.dirname(drop.place))
    if len(path) > LONGEST_PATH:
        return b"%d-%s" % (number, os.path.basename(path)[-200:])
    return path


def _copy(inbox: Path, file: DroppedFile, copy: Path) -> str:
    """Copy one file and sync the copy; its SHA-256. A link is not followed."""
    with open_dropped(inbox, file) as stream, copy.open("xb") as target:
        began = os.fstat(stream.fileno())
        digest = hashlib.sha256()
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            target.write(chunk)
        _check_still(file, began, stream, digest.hexdigest())
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest()


def _check_still(file: DroppedFile, began: os.stat_result, stream: BinaryIO, digest: str) -> None:
    """Raise FilesChanged if what was just copied changed meanwhile, its time put back or not."""
    ended = os.fstat(stream.fileno())
    check_unchanged(file, ended)
    if ended.st_ctime_ns != began.st_ctime_ns:  # a new owner, perhaps, or a rewrite in place
        again = hashlib.sha256()
        stream.seek(0)
        while chunk := stream.read(CHUNK):
            again.update(chunk)
        if again.hexdigest() != digest:
            raise FilesChanged(text("intake.file_changed"))


def _scan_of(
    drop: Drop, copies: list[Hashed], staging: Path
) -> tuple[Scan, list[str], frozenset[str]]:
    """The scan to analyze, the hashes of its image files, and of its DICOM pictures.

    An archive is unpacked first.
    """
    if drop.kind is DropKind.ZIP:
        folder = staging / UNPACKED
        folder.mkdir()
        members = members_of(drop, unpack(copies[0][0], folder))
        return one_scan([(member, hash_file(member)) for member in members])
    return one_scan(copies)


def hash_file(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def one_scan(files: list[Hashed]) -> tuple[Scan, list[str], frozenset[str]]:
    """The scan that files are, the hashes that make its id, and those of its DICOM pictures.

    A DICOM picture is hashed as it shows, since two exports of one image differ in their bytes.
    """
    scan = scan_of([path for path, _ in files])
    if scan.kind is not Kind.DICOM:
        return scan, [digest for path, digest in files if path == scan.files[0]], frozenset()
    dicom = [each for each in files if is_dicom(each[0])]
    told = pictures_of(dicom)
    return scan, sorted(told) or [digest for _, digest in dicom or files], told


def scan_of(files: list[Path]) -> Scan:
    """One NIfTI file or one picture, or else all DICOM files; companions count for nothing.

    Files that are no DICOM are given on beside it: the reader says what they mean. Raises
    UnreadableScan where there are several scans.
    """
    single = [path for path in files if kind_by_name(path.name) is not Kind.DICOM]
    if len(single) == 1 and not any(is_dicom(path) for path in files):
        return Scan(kind_by_name(single[0].name), (single[0],))
    if single:
        raise UnreadableScan(text("intake.several_scans"))
    return Scan(Kind.DICOM, tuple(files))


def pictures_of(dicom: list[Hashed]) -> frozenset[str]:
    """One hash of each picture in DICOM files; of a file that cannot be decoded, its own."""
    shown = [(picture_digest(path), digest) for path, digest in dicom]
    told = {digest if picture is None else picture for picture, digest in shown}
    return frozenset(told - {""})
