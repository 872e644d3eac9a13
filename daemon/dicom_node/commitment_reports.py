"""What archives report of objects that they were asked to keep: files between node and sender.

Below the inbox's `.receiving/commitments/` the sender names each question before it asks; the node
takes reports to these questions and no others, and the sender reads them. A file's name is made of
the question's UID by hashing, so that no UID can be a path.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from daemon.safe_files import sync_folder

PUSH_MODEL = "1.2.840.10008.1.20.1"  # PS3.4 J.3: the class, and its one instance
PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"
MOST_OBJECTS = 1000  # in a report: far more than we ask for at once
UID_CHARACTERS = 64
KEPT_SECONDS = 30 * 86400.0  # a question without a report is forgotten then
ASKED, SAID = ".asked", ".json"
NO_REASON = "0110"  # processing failure, where an archive gives none


@dataclass(frozen=True)
class CommitmentReport:
    """The answer to one question. committed: SOP Instance UIDs; refused: the reason of each other
    one, a DICOM status in four digits (PS3.3 C.14.1.1)."""

    transaction: str
    committed: tuple[str, ...]
    refused: dict[str, str]


def report_of(told: Dataset) -> CommitmentReport:
    """Of the data set of an N-EVENT-REPORT. Raises ValueError for what is none."""
    transaction = str(told.get("TransactionUID") or "")
    done, failed = told.get("ReferencedSOPSequence") or [], told.get("FailedSOPSequence") or []
    if not transaction or len(transaction) > UID_CHARACTERS:
        raise ValueError("transaction")
    if len(done) + len(failed) > MOST_OBJECTS:
        raise ValueError("objects")
    return CommitmentReport(
        transaction,
        tuple(_uid(each) for each in done),
        {_uid(each): _reason(each) for each in failed},
    )


def _uid(item: Dataset) -> str:
    uid = str(item.get("ReferencedSOPInstanceUID") or "")
    if not uid or len(uid) > UID_CHARACTERS:
        raise ValueError("object")
    return uid


def _reason(item: Dataset) -> str:
    reason = item.get("FailureReason")
    return f"{int(reason):04X}" if reason is not None else NO_REASON


class CommitmentReports:
    """The folder of one inbox. All raise OSError where the inbox is away."""

    def __init__(self, receiving: Path) -> None:
        self._folder = receiving / "commitments"

    def expect(self, transaction: str) -> None:
        """The sender is about to ask."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file(transaction, ASKED).touch()
        sync_folder(self._folder)

    def keep(self, report: CommitmentReport) -> bool:
        """The node got an answer: synced when this returns; False if nobody asked."""
        if not self._file(report.transaction, ASKED).exists():
            return False
        target = self._file(report.transaction, SAID)
        beside = target.with_suffix(".tmp")
        with beside.open("w") as stream:
            json.dump(asdict(report), stream)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(target)
        sync_folder(self._folder)
        return True

    def waiting(self) -> Iterator[CommitmentReport]:
        """The answers that are there; what is too old is forgotten."""
        for path in sorted(self._folder.glob(f"*{SAID}")):
            try:
                said = json.loads(path.read_text())
                yield CommitmentReport(
                    said["transaction"], tuple(said["committed"]), dict(said["refused"])
                )
            except (ValueError, KeyError, TypeError):  # nobody but the node writes here
                path.unlink()
        for path in self._folder.glob("*"):
            if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink()

    def forget(self, transaction: str) -> None:
        """It was answered, and the answer is noted; or it was never asked."""
        for ending in (SAID, ASKED):
            self._file(transaction, ending).unlink(missing_ok=True)

    def _file(self, transaction: str, ending: str) -> Path:
        name = hashlib.sha256(transaction.encode("utf-8", "replace")).hexdigest()
        return self._folder / f"{name[:40]}{ending}"
