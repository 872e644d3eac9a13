"""What lies in the inbox, as values: a file's identity, the files of one drop, their safe names."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote, unquote

from model.reading.names import is_sidecar, is_transfer_folder

UNASSIGNED = "unassigned"
SOURCE = "source"  # below a scan in the outbox: the files that came
DICOM = "dicom"  # below a scan in the outbox: what goes to the PACS, and nothing else
URGENT = b"URGENT"
MAX_NAME_BYTES = 200
_PLAIN = " !#$&'()+,;=@[]{}^~"


def folder_name(patient_id: str) -> str:
    """The patient's folder for a PatientID: unsafe characters percent-encoded, one to one.

    Letters and digits of any script stay; '/', '%', control characters and a leading dot do
    not, nor what would make the folder one that is not looked into. Different ids never share a
    folder. An empty or overlong id gives `unassigned`.
    """
    name = "".join(_safe(character) for character in patient_id)
    if name.startswith("."):
        name = "%2E" + name[1:]
    if name.endswith((" ", "~")):
        name = name[:-1] + _encoded(name[-1])
    if is_sidecar(name) or is_transfer_folder(name):
        name = name[:-1] + _encoded(name[-1])
    if is_sidecar(name):  # by its beginning
        name = _encoded(name[0]) + name[1:]
    return name if 0 < len(name.encode()) <= MAX_NAME_BYTES else UNASSIGNED


def shown_id(patient_id: str) -> str:
    """A patient's ID for people and other programs: what `folder_name` encoded is decoded.

    A folder that somebody named otherwise is shown as it is named.
    """
    plain = unquote(patient_id)
    return plain if folder_name(plain) == patient_id else patient_id


def file_name(claimed: str) -> str:
    """A safe name for an uploaded file that keeps its ending; never hidden, never a path."""
    last = claimed.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(character if character.isprintable() else "_" for character in last)
    plain = plain.strip().lstrip(".") or "file"
    encoded = plain.encode("utf-8", "replace")
    return encoded[-MAX_NAME_BYTES:].decode("utf-8", "ignore").lstrip(".") or "file"


def readable(name: bytes) -> str:
    """Any file name as text, one to one: bytes that are not UTF-8 are shown as \\xNN.

    So that no other name is shown alike, a backslash before an x is then shown as \\x5c.
    """
    return name.replace(b"\\x", b"\\x5cx").decode("utf-8", "backslashreplace")


def _encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))


def _safe(character: str) -> str:
    if character.isalnum() or character in "-_." or character in _PLAIN:
        return character
    return quote(character, safe="", errors="replace")


def objects_folder(folder: Path) -> Path:
    """Where a result's DICOM objects lie; earlier versions wrote them beside the report."""
    return folder / DICOM if (folder / DICOM).is_dir() else folder


def hash_scan(patient_id: str, content_sha256: str) -> str:
    """The scan's opaque id: 20 hexadecimal digits from the patient and the content."""
    key = f"gliowatch scan\0{patient_id}\0{content_sha256}"
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:20]


STUDY_MARK = b"\0"  # no path holds it


class State(StrEnum):
    """Every dropped file is in exactly one of these."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


MOVES = {
    State.WAITING: (State.RUNNING, State.REJECTED),  # rejected: cancelled before it began
    State.RUNNING: (State.WAITING, State.DONE, State.DUPLICATE, State.REJECTED),
    State.DONE: (),
    State.DUPLICATE: (),
    State.REJECTED: (),  # tried again, its files are a new drop
}


class DropKind(StrEnum):
    """What a drop is by its names.

    `loose` lies in the inbox itself. The last three have no files: a published scan is to be
    analyzed anew, only compared anew with the patient's other scans, or measured anew by a mask
    that a person corrected.
    """

    NIFTI = "nifti"
    IMAGE = "image"
    DICOM = "dicom"
    ZIP = "zip"
    LOOSE = "loose"
    AGAIN = "again"
    COMPARE = "compare"
    CORRECT = "correct"


OF_PUBLISHED = (DropKind.AGAIN, DropKind.COMPARE, DropKind.CORRECT)


@dataclass(frozen=True, order=True, slots=True)
class DroppedFile:
    """One file as it was seen: the same five values mean that nobody touched it since.

    path: below the inbox, as bytes, since names need not be UTF-8. ctime_ns: when the system last
    saw it change, which nobody can put back as `rsync -t` does the mtime; 0: not known.
    """

    path: bytes
    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int = 0

    @property
    def looks(self) -> tuple[bytes, int, int, int]:
        """All but the ctime, which a rename or a new owner changes as well as new bytes do."""
        return (self.path, self.size, self.mtime_ns, self.inode)


def place_of(unit: bytes) -> bytes:
    """The file or folder below the inbox that a drop of this unit is, or is a part of."""
    return unit.split(STUDY_MARK)[0]


@dataclass(frozen=True, slots=True)
class Drop:
    """Files that belong together and are analyzed as one scan, or set aside as one.

    unit: path below the inbox of the file itself or, for DICOM, of the patient's folder; if
    that holds several studies, a zero byte and the study follow, in a form of our own. Of a
    scan to analyze again it is a zero byte and the scan_id, of one to compare two and the scan_id;
    of a corrected mask three, the scan_id, one more and the correction's key.
    """

    unit: bytes
    patient_id: str
    kind: DropKind
    urgent: bool
    files: tuple[DroppedFile, ...]

    @property
    def place(self) -> bytes:
        """The file or folder that the drop is, or is a part of, below the inbox."""
        return place_of(self.unit)

    @property
    def is_one_study(self) -> bool:
        """True for one of several studies that lay in one folder."""
        return STUDY_MARK in self.unit and self.kind not in OF_PUBLISHED

    @property
    def scan_to_analyze(self) -> str:
        """Of a published scan that is to be analyzed, compared or measured anew, the scan_id."""
        return self.unit.lstrip(STUDY_MARK).split(STUDY_MARK)[0].decode()

    @property
    def correction_key(self) -> str:
        """Of a corrected mask, under which key it is on record."""
        return self.unit.rpartition(STUDY_MARK)[2].decode()

    @property
    def patient_folder(self) -> bytes:
        """The patient's folder in the inbox, and so in the outbox, as bytes."""
        is_in_folder = b"/" in self.files[0].path
        return self.files[0].path.split(b"/")[0] if is_in_folder else UNASSIGNED.encode()


def correction_unit(scan_id: str, correction_key: str) -> bytes:
    """The unit of a corrected mask, which is never queued twice."""
    return 3 * STUDY_MARK + scan_id.encode() + STUDY_MARK + correction_key.encode()


@dataclass(frozen=True, slots=True)
class QueuedDrop:
    """A drop as the index knows it. seen_at: when it came or was asked for, UTC, ISO 8601."""

    drop_id: int
    drop: Drop
    state: State
    rested: bool
    attempts: int
    reason: str | None = None
    token: int = 0  # of the claim: who holds an older one may not end the drop
    hashes: Mapping[bytes, str] = field(default_factory=dict)  # SHA-256 of what was copied, by path
    seen_at: str = ""
