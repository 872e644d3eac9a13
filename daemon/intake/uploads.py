"""Uploads: received beside the inbox until they are sent, then one rename makes them drops.

An upload is a folder `.uploading/<id>/` in the inbox, which the daemon passes over. Below it the
files lie as they will lie below the inbox, under a stand-in for the patient who is not chosen yet.
"""

import os
import secrets
import shutil
import time
from collections.abc import Container
from pathlib import Path
from typing import BinaryIO

from daemon.drops import file_name
from daemon.intake.inbox_scan import Listing, NameRules, scan_inbox
from daemon.outputs.catalogue import text
from daemon.safe_files import sync_folder, sync_tree
from model.errors import GliowatchError
from model.reading.names import is_sidecar

PART = ".part"


def visible(name: str, rules: NameRules) -> str:
    """A name that the daemon takes for a scan, not for one that waits or is ignored."""
    encoded = os.fsencode(name)
    hidden = rules.is_waiting(encoded) or rules.is_ignored(encoded)
    return f"{name}_" if hidden else name


HOLDING = ".uploading"
LEFT_OUT = ".left-out"
NOBODY = "patient"  # stands for the patient's folder
MOST_FOLDERS = 8  # of a file's path that are kept, the innermost ones
LONGEST_FOLDER = 80  # bytes
KEPT_SECONDS = 3600.0  # since something was last added


class UploadFault(GliowatchError):
    """There is no such upload any more, or none can be added; the sentence says why."""


class StagedUpload:
    """One upload that waits to be sent. name: opaque, and hard to guess."""

    def __init__(self, inbox: Path, name: str, rules: NameRules) -> None:
        self.name = name
        self.root = inbox / HOLDING / name
        self._inbox, self._rules = inbox, rules
        self.folder = self.root / NOBODY / f"upload-{name[:12]}"
        self._files: set[Path] = set()

    @property
    def count(self) -> int:
        """How many files have come or are coming."""
        return len(self._files)

    def open(self, claimed_path: str) -> tuple[BinaryIO, Path]:
        """A stream for one file and the name that `keep` gives it. Raises NotHeld."""
        self._touch()
        folder, name = self._safe(claimed_path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UploadFault(text("upload_fault.same_name")) from None
        stem, dot, ending = name.partition(".")
        target, number = folder / name, 1
        while target.exists() or (stream := _new_part(target)) is None:
            number += 1
            target = folder / f"{stem}-{number}{dot}{ending}"
        if self.folder in target.parents:
            self._files.add(target)
        return stream, target

    def write(self, stream: BinaryIO, chunk: bytes) -> None:
        """More of a file has come; while that goes on the upload is nobody's old one."""
        stream.write(chunk)
        self._touch()

    def keep(self, stream: BinaryIO, target: Path) -> None:
        """The file has arrived whole: bring it to the disk and name it."""
        with stream:
            stream.flush()
            os.fsync(stream.fileno())
        Path(f"{target}{PART}").rename(target)

    def drop(self, target: Path) -> None:
        """A file that broke off leaves nothing."""
        Path(f"{target}{PART}").unlink(missing_ok=True)
        self._files.discard(target)

    def listing(self) -> Listing:
        """The drops that these files will be, with paths below `root`. Raises NotHeld."""
        self._touch()
        return scan_inbox(self.root, self._rules)

    def keep_only(self, paths: Container[bytes]) -> None:
        """Of its files, by their paths below `root`, only these are to be sent."""
        root = os.fsencode(self.root)
        for place, _, names in os.walk(os.fsencode(self.folder)):
            for path in (os.path.join(place, name) for name in names):
                if os.path.relpath(path, root) not in paths:
                    os.unlink(path)

    def send(self, patient_id: str) -> Path:
        """All files become drops of this patient at once; their folder below the inbox.

        Raises NotHeld when nothing is there to be sent.
        """
        self._touch()
        if not any(names for _, _, names in os.walk(self.folder)):
            raise UploadFault(text("upload_fault.nothing"))
        sync_tree(self.folder)
        place = Path(patient_id) / self.folder.name
        (self._inbox / patient_id).mkdir(exist_ok=True)  # never the inbox itself: it may be away
        self.folder.rename(self._inbox / place)
        sync_folder(self._inbox / patient_id)
        sync_folder(self._inbox)
        self.cancel()
        return place

    def cancel(self) -> None:
        """Take all of it away."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _touch(self) -> None:
        try:
            os.utime(self.root)
        except FileNotFoundError:
            raise UploadFault(text("upload_fault.gone")) from None

    def _safe(self, claimed_path: str) -> tuple[Path, str]:
        """Folder and name for a file: never hidden, never waited for, never elsewhere.

        What systems and tools make lies beside the upload, and is not sent.
        """
        *folders, name = claimed_path.replace("\\", "/").split("/")
        if any(is_sidecar(each) for each in (*folders, name)):
            return self.root / LEFT_OUT, f"{secrets.token_hex(4)}-{file_name(name)}"
        kept = [file_name(each)[:LONGEST_FOLDER] for each in folders if each.strip(". ")]
        short = [each.encode()[:LONGEST_FOLDER].decode("utf-8", "ignore") for each in kept]
        place = self.folder.joinpath(
            *(visible(each, self._rules) for each in short[-MOST_FOLDERS:])
        )
        return place, visible(file_name(name), self._rules)


def _new_part(target: Path) -> BinaryIO | None:
    try:
        return Path(f"{target}{PART}").open("xb")
    except FileExistsError:  # another request has the name
        return None


def stage_upload(inbox: Path, rules: NameRules) -> StagedUpload:
    """A new upload. Raises OSError without an inbox."""
    (inbox / HOLDING).mkdir(exist_ok=True)
    held = StagedUpload(inbox, secrets.token_hex(16), rules)
    held.root.mkdir()
    return held


def clear_staged(inbox: Path, kept_seconds: float = KEPT_SECONDS) -> None:
    """Take away the uploads that nobody has touched for so long; 0 = all, at a start."""
    oldest = time.time() - kept_seconds
    for folder in (inbox / HOLDING).glob("*"):
        try:
            is_old = folder.stat().st_mtime <= oldest
        except FileNotFoundError:  # it was sent meanwhile
            continue
        if is_old or not kept_seconds:
            shutil.rmtree(folder, ignore_errors=True)


def count_staged(inbox: Path) -> int:
    """How many files wait to be sent."""
    return sum(len(names) for _, _, names in os.walk(inbox / HOLDING))
