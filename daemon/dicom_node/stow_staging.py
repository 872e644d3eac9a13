"""Objects that come by STOW-RS: held apart until their request is whole, then all arrive at once.

The viewer writes them as they come and opens none. What they are is read in a worker's process, by
`judged`; those that may stay arrive by one rename, and are sorted as those of an association are.
"""

import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from daemon.dicom_node.object_storage import MODE, NAME_CHARACTERS
from daemon.dicom_node.staging import ENDING, Staging
from daemon.safe_files import sync_folder

NOBODY = 0  # in place of an association's number, which begin at 1

# Reasons of PS3.18 I.2.2: 0xA9.. and 0xC... leave the last digits to us.
STORED = 0
INCOMPLETE = 0xA900  # no UIDs, or none that can be
OTHER_STUDY = 0xA901  # than the address names
NOT_UNDERSTOOD = 0xC000
OTHER_SYNTAX = 0xC122


@dataclass(frozen=True)
class Judgement:
    """What a file says that it is, '' where it cannot be told, and why it may not stay.

    reason: STORED, or a reason of PS3.18 I.2.2.
    """

    sop_class: str = ""
    sop_instance: str = ""
    reason: int = NOT_UNDERSTOOD


def judged(files: tuple[Path, ...], study: str) -> tuple[Judgement, ...]:
    """Each file; called inside a worker's process. study: that of the address, '' for any."""
    return tuple(_judged(file, study) for file in files)


def _judged(file: Path, study: str) -> Judgement:
    """A file of PS3.10 with the UIDs that name it, in a syntax that our readers open."""
    from pydicom.uid import UID

    from daemon.dicom_node.presentation_contexts import SYNTAXES
    from model.reading.dicom.patient_tags import object_of

    told = object_of(file)
    if told is None:
        return Judgement()
    uids = (told.sop_class, told.sop_instance, told.study)
    if not all(uid and UID(uid).is_valid for uid in uids):
        return Judgement(reason=INCOMPLETE)
    reason = STORED
    if told.syntax not in SYNTAXES:
        reason = OTHER_SYNTAX
    elif study and told.study != study:
        reason = OTHER_STUDY
    return Judgement(told.sop_class, told.sop_instance, reason)


class PostedObjects:
    """What one request brings, or one study that is fetched by WADO-RS."""

    def __init__(self, staging: Staging, place: Path) -> None:
        """place: the folder of staging that holds it until it is whole. Raises OSError without an
        inbox."""
        staging.make()
        self._staging, self._name = staging, secrets.token_hex(16)
        self._root = place / self._name
        self._root.mkdir()
        self._count = 0
        self._digests: dict[Path, str] = {}
        self._digest = hashlib.sha256()
        self._moving = threading.Lock()

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that have come whole, as they came."""
        return tuple(self._digests)

    def open(self, claimed_path: str) -> tuple[BinaryIO, Path]:
        """A stream for the next object, and where it lies; names that are claimed are dropped."""
        self._count += 1
        target = self._root / f"{self._count}{ENDING}"
        self._digest = hashlib.sha256()
        return target.open("xb"), target

    def write(self, stream: BinaryIO, chunk: bytes) -> None:
        """More of it has come."""
        stream.write(chunk)
        self._digest.update(chunk)

    def keep(self, stream: BinaryIO, target: Path) -> None:
        """It has come whole: bring it to the disk."""
        with stream:
            stream.flush()
            os.fchmod(stream.fileno(), MODE)
            os.fsync(stream.fileno())
        self._digests[target] = self._digest.hexdigest()

    def drop(self, target: Path) -> None:
        """One that broke off leaves nothing."""
        target.unlink(missing_ok=True)

    def arrive(self, chosen: Iterable[Path]) -> None:
        """These and no others, all at once: after this they may be answered with success.

        Their names say which bytes they are, so that the same object sent twice is kept once.
        """
        with self._moving:
            for file in set(self._root.iterdir()) - (kept := set(chosen)):
                file.unlink()
            for file in kept:
                name = f"{self._digests[file][:NAME_CHARACTERS]}.{NOBODY}{ENDING}"
                file.rename(file.with_name(name))
            if not kept:
                return
            sync_folder(self._root)
            self._root.rename(self._staging.arrived / self._name)
            sync_folder(self._staging.arrived)

    def cancel(self) -> None:
        """Take away what has not arrived."""
        with self._moving:
            shutil.rmtree(self._root, ignore_errors=True)


def clear_held(place: Path) -> None:
    """At a start: what an earlier one held goes, since nobody has counted on it."""
    for left in place.glob("*"):
        shutil.rmtree(left, ignore_errors=True)
