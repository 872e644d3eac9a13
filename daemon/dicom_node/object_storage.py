"""One object to the disk: within bounds, synced, renamed, and only then answered with success."""

import contextlib
import hashlib
import logging
import os
import shutil
import threading
import time
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import IO

from daemon.dicom_node.associations import Book
from daemon.dicom_node.staging import ENDING, Staging
from daemon.safe_files import sync_folder

log = logging.getLogger(__name__)

MODE = 0o640  # as all that holds patients
NAME_CHARACTERS = 40  # of the SHA-256 of an object's bytes
ROOM_SECONDS = 1.0  # between two looks at the disk's free bytes


class Status(IntEnum):
    """What is answered (PS3.4 B.2.3)."""

    SUCCESS = 0x0000
    NO_ROOM = 0xA700  # out of resources: the sender may try again later
    TOO_LARGE = 0xC001  # it never will be taken


@dataclass
class Incoming:
    """What one association has on the way: files of objects that have no answer yet.

    number: of the association. files: each with the stream that writes it. refused: those whose
    bytes are let go, and why.
    """

    number: int
    files: dict[Path, IO[bytes]] = field(default_factory=dict)
    refused: dict[Path, Status] = field(default_factory=dict)

    def leave(self) -> int:
        """At its end: what has no answer goes; how many these were."""
        halves = 0
        for half, stream in list(self.files.items()):
            with contextlib.suppress(OSError):  # a full disk does not take its last bytes
                stream.close()
            halves += half.exists()
            half.unlink(missing_ok=True)
        self.files.clear()
        return halves


class Room:
    """Whether the inbox's disk has more than its reserve free; a disk that is away has none."""

    def __init__(self, folder: Path, reserve_bytes: float) -> None:
        self._folder, self._reserve = folder, reserve_bytes
        self._lock = threading.Lock()
        self._next, self._is_there = 0.0, True

    def is_there(self) -> bool:
        """As it was at most a second ago."""
        with self._lock:
            if time.monotonic() >= self._next:
                self._next = time.monotonic() + ROOM_SECONDS
                self._look()
            return self._is_there

    def _look(self) -> None:
        try:
            is_there = shutil.disk_usage(self._folder).free > self._reserve
        except OSError:
            is_there = False
        if is_there is not self._is_there:
            log.warning("disk_has_room" if is_there else "disk_low")
        self._is_there = is_there


class Store:
    """Takes the objects of all associations, each in its thread."""

    def __init__(self, staging: Staging, book: Book, largest_bytes: int, room: Room) -> None:
        self._staging, self._book = staging, book
        self._largest, self._room = largest_bytes, room

    def fault_of(self, size: int) -> Status:
        """Why an object that has so many bytes up to now cannot be kept; success if it can."""
        if size > self._largest:
            return Status.TOO_LARGE
        return Status.SUCCESS if self._room.is_there() else Status.NO_ROOM

    def keep(self, incoming: Incoming, file: Path) -> Status:
        """An object has come whole: bring it to the disk; what is to be answered."""
        size = 0
        try:
            size = file.stat().st_size
            status = incoming.refused.pop(file, None) or self.fault_of(size)
            if status is Status.SUCCESS:
                self._bring(incoming.number, file)
            else:
                file.unlink()
        except OSError as error:
            log.warning("not_kept", extra={"errno": error.errno})
            status = Status.NO_ROOM
        incoming.files.pop(file, None)
        if status is Status.SUCCESS:
            self._book.stored(incoming.number, size)
        else:
            self._book.refuse_object(incoming.number)
            extra = {"association": incoming.number, "status": f"{status:04X}"}
            log.warning("object_refused", extra=extra)
        return status

    def _bring(self, number: int, file: Path) -> None:
        """Its name says which bytes they are, so that the same object sent twice is kept once."""
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            os.fchmod(stream.fileno(), MODE)
            os.fsync(stream.fileno())
        name = f"{digest[:NAME_CHARACTERS]}.{number}{ENDING}"
        file.rename(self._staging.arrived / name)
        sync_folder(self._staging.arrived)
