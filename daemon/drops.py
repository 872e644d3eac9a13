"""What is in the inbox, as values: a dropped file's identity, and the files that are one drop."""

from dataclasses import dataclass
from enum import StrEnum

from daemon.names import UNASSIGNED

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
    judged anew, only compared anew with the patient's other scans, or measured anew by a mask
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


@dataclass(frozen=True, order=True)
class DroppedFile:
    """One file as it was seen: the same four values mean that nobody touched it since.

    path: below the inbox, as bytes, since names need not be UTF-8.
    """

    path: bytes
    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True)
class Drop:
    """Files that belong together and are judged as one scan, or set aside as one.

    unit: path below the inbox of the file itself or, for DICOM, of the patient's folder; if
    that holds several studies, a zero byte and the study follow, in a form of our own. Of a
    scan to judge again it is a zero byte and the scan_id, of one to compare two and the scan_id;
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
        return self.unit.split(STUDY_MARK)[0]

    @property
    def is_one_study(self) -> bool:
        """True for one of several studies that lay in one folder."""
        return STUDY_MARK in self.unit and self.kind not in OF_PUBLISHED

    @property
    def scan_to_judge(self) -> str:
        """Of a published scan that is to be judged, compared or measured anew, the scan_id."""
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


@dataclass(frozen=True)
class QueuedDrop:
    """A drop as the index knows it."""

    drop_id: int
    drop: Drop
    state: State
    rested: bool
    attempts: int
    reason: str | None = None
    token: int = 0  # of the claim: who holds an older one may not end the drop
