"""Taking a drop in, inside the worker: its bytes are read once, hashed, and copied aside.

What is analyzed is the copy, so a file that changes meanwhile cannot make the result lie.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from daemon.drops import SOURCE, Drop, DropKind, DroppedFile, hash_scan
from daemon.intake import companion_files
from daemon.intake.dropped_files import FilesChanged, check_unchanged, open_dropped
from daemon.intake.study_split import members_of
from daemon.outputs.catalogue import text
from model.errors import UnreadableScan
from model.reading.archive import unpack
from model.reading.dicom.files import is_dicom
from model.reading.dicom.patient_tags import (
    Identity,
    IdentityChange,
    Named,
    Study,
    named_in,
    study_of,
)
from model.reading.dicom.pixels import picture_digest
from model.rules import is_pair, kind_by_name
from model.volume import Kind, Scan

CHUNK = 1 << 20
LONGEST_PATH = 1000  # bytes, of a file below its drop
Hashed = tuple[Path, str]  # a file and its SHA-256
Names = Mapping[Path, str]  # what each file was called where it came from, with its folders
UNPACKED = "unpacked"


@dataclass(frozen=True)
class Earlier:
    """The newest published revision of a scan that files came late for.

    study_uid: by which the scan is known; None of what names no study. doubtful: the scans that
    it may be a part of.
    """

    scan_id: str
    revision: int
    folder: Path
    study_uid: str | None
    doubtful: tuple[str, ...] = ()


@dataclass(frozen=True)
class Intake:
    """A drop that lies copied and hashed in its staging folder.

    scan_id: opaque; hashes: SHA-256 of each dropped file by its path below the inbox;
    content_sha256: of the image files alone, whatever their names and order; named: whom and
    which study DICOM files name; pictures: one hash of each DICOM picture; has_none: the DICOM
    objects have no picture for us (SR, SEG, our own results come back); earlier: what this joins
    and replaces, if it came late; changes: what its pictures said otherwise before; doubtful: the
    scans that it may be a part of, though not for certain.
    """

    scan_id: str
    content_sha256: str
    scan: Scan
    hashes: dict[bytes, str]
    named: Named = field(default_factory=Named)
    pictures: frozenset[str] = frozenset()
    has_none: bool = False
    earlier: Earlier | None = None
    changes: tuple[IdentityChange, ...] = ()
    doubtful: tuple[str, ...] = ()

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The patients whom its DICOM files name."""
        return self.named.identities

    @property
    def corrected_id(self) -> str:
        """The PatientID that the same pictures bore before, '' where it has not changed."""
        return next((each.before for each in self.changes if each.field == "patient_id"), "")

    @property
    def revision(self) -> int:
        """Which revision of its scan it will be."""
        return self.earlier.revision + 1 if self.earlier else 1

    @property
    def study(self) -> Study | None:
        """The study of its DICOM files. Where they give several numbers to one, it is the one by
        which the scan is known already, else the first by its digits."""
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
    base = _base(drop)
    for file in drop.files:
        copy = source / os.fsdecode(_name_in_source(base, file, len(copies)))
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
        has_none=scan.kind is Kind.DICOM and not pictures and _are_objects(scan.files),
    )


def _are_objects(files: tuple[Path, ...]) -> bool:
    """Whether the DICOM files among these, if any, are whole enough to name their study."""
    dicom = [path for path in files if is_dicom(path)]
    return bool(dicom) and all(study_of(path) is not None for path in dicom)


def hash_content(digests: list[str]) -> str:
    """One SHA-256 for the image files of a scan, from theirs; names and order do not count."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def _base(drop: Drop) -> bytes:
    """The folder from which the paths in `source/` count: a DICOM drop's place, else the file's."""
    if drop.kind is DropKind.DICOM and any(file.path != drop.place for file in drop.files):
        return drop.place
    return os.path.commonpath([os.path.dirname(file.path) for file in drop.files])


def _name_in_source(base: bytes, file: DroppedFile, number: int) -> bytes:
    """The file's path below its drop. One too long to be repeated further down becomes a number
    and the end of the name.
    """
    path = os.path.relpath(file.path, base)
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
        names = unpack(copies[0][0], folder)
        members = members_of(drop, tuple(names))
        return one_scan([(member, hash_file(member)) for member in members], names)
    return one_scan(copies)


def hash_file(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def one_scan(
    files: list[Hashed], names: Names | None = None
) -> tuple[Scan, list[str], frozenset[str]]:
    """The scan that files are, the hashes that make its id, and those of its DICOM pictures.

    A DICOM picture is hashed as it shows, since two exports of one image differ in their bytes.
    """
    scan = scan_of([path for path, _ in files], names)
    if scan.kind is not Kind.DICOM:
        return scan, [digest for path, digest in files if path in scan.files], frozenset()
    dicom = [each for each in files if is_dicom(each[0])]
    told = pictures_of(dicom)
    return scan, content_of(told, scan.files) or [digest for _, digest in dicom or files], told


def content_of(pictures: frozenset[str], files: Iterable[Path]) -> list[str]:
    """What the content of DICOM files is hashed from: their pictures, and the days of their
    studies, since what was taken again another day is another scan. Nothing without pictures."""
    told = (study_of(path) for path in files) if pictures else ()
    return [*sorted(pictures), *sorted({study.day for study in told if study and study.day})]


def scan_of(files: list[Path], names: Names | None = None) -> Scan:
    """One NIfTI file or pair, one picture, or else all DICOM files; companions do not count.

    Files that are no DICOM are given on beside it: the reader says what they mean. names: as
    `unpack` tells them; without, they are the paths. Raises UnreadableScan where there are
    several scans.
    """
    called = {path: os.fsencode(names[path]) for path in files} if names else _called(files)
    beside = companion_files.companions(list(called.values()))
    single = [
        path
        for path in files
        if kind_by_name(path.name) is not Kind.DICOM and called[path] not in beside
    ]
    others = [path for path in files if kind_by_name(path.name) is Kind.DICOM]
    if not any(is_dicom(path) for path in others):
        is_one = len(single) == 1 or (len(single) == 2 and is_pair(*(p.name for p in single)))
        if is_one:
            return Scan(kind_by_name(single[0].name), tuple(sorted(single)))
    else:  # pictures beside a study are no scans
        single = [path for path in single if kind_by_name(path.name) is not Kind.IMAGE]
        others = [path for path in others if not companion_files.is_document(called[path])]
    if single:
        raise UnreadableScan(text("intake.several_scans"))
    return Scan(Kind.DICOM, tuple(others))


def _called(files: Iterable[Path]) -> dict[Path, bytes]:
    """Each file's path below the folder that holds them all."""
    paths = {path: os.fsencode(path) for path in files}
    base = os.path.commonpath([os.path.dirname(path) for path in paths.values()])
    return {path: os.path.relpath(its, base) for path, its in paths.items()}


def pictures_of(dicom: list[Hashed]) -> frozenset[str]:
    """One hash of each picture in DICOM files; of a file that cannot be decoded, its own."""
    shown = [(picture_digest(path), digest) for path, digest in dicom]
    told = {digest if picture is None else picture for picture, digest in shown}
    return frozenset(told - {""})
