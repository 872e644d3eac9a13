"""How files leave the inbox once their drop has ended; a file that changed meanwhile stays."""

import errno
import os
from pathlib import Path

from daemon.drops import DroppedFile, QueuedDrop, State
from daemon.inbox import identify
from daemon.names import UNASSIGNED, URGENT

REJECTED = b".rejected"
DUPLICATES = b".duplicates"
REASON = b".reason.txt"
LONGEST_NAME = 230  # bytes; file systems allow 255


def leave(inbox: Path, queued: QueuedDrop) -> list[bytes]:
    """Take an ended drop's files out of the inbox; the paths that have left.

    Files of a done drop are removed, since the outbox holds them, byte for byte; those of a
    duplicate or a rejected one are moved aside. A file whose inode, size or time differs is a
    new drop and stays, but counts as left for this one. Running it twice does no harm.
    """
    root = os.fsencode(inbox)
    for file in queued.drop.files:
        if _is_unchanged(root, file):
            _leave(root, queued, file)
    _remove_empty(root, {os.path.dirname(file.path) for file in queued.drop.files})
    return [file.path for file in queued.drop.files]


def file_loose(inbox: Path, file: DroppedFile, patient: str) -> None:
    """Move a loose file into its patient's folder; never onto another file."""
    root = os.fsencode(inbox)
    folder = os.path.join(root, os.fsencode(patient))
    os.makedirs(folder, exist_ok=True)
    os.rename(os.path.join(root, file.path), _free(os.path.join(folder, file.path)))


def _is_unchanged(root: bytes, file: DroppedFile) -> bool:
    try:
        return identify(file.path, os.lstat(os.path.join(root, file.path))) == file
    except FileNotFoundError:
        return False


def _leave(root: bytes, queued: QueuedDrop, file: DroppedFile) -> None:
    here = os.path.join(root, file.path)
    if queued.state is State.DONE:
        os.unlink(here)
        return
    is_rejected = queued.state is State.REJECTED
    aside = os.path.join(root, REJECTED if is_rejected else DUPLICATES)
    reason = queued.reason if is_rejected else None
    below = file.path if b"/" in file.path else os.path.join(UNASSIGNED.encode(), file.path)
    try:
        _move_aside(here, os.path.join(aside, below), reason)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        patient, name = below.split(b"/")[0], os.path.basename(below)
        _move_aside(here, os.path.join(aside, patient, name), reason)


def _move_aside(here: bytes, wanted: bytes, reason: str | None) -> None:
    folder, name = os.path.split(wanted)
    _make_folders(folder)
    target = _free(os.path.join(folder, _short(name)))
    if reason is not None:
        with open(target + REASON, "w", encoding="utf-8") as stream:
            stream.write(f"{reason}\n")
    os.rename(here, target)


def _make_folders(path: bytes) -> None:
    """Like os.makedirs without its recursion: an inbox may be thousands of folders deep."""
    parts = path.split(b"/")
    for length in range(1, len(parts) + 1):
        folder = b"/".join(parts[:length])
        if folder and not os.path.isdir(folder):
            os.mkdir(folder)


def _short(name: bytes) -> bytes:
    """A name with room for a number before it and `.reason.txt` after it; its ending is kept."""
    return name if len(name) <= LONGEST_NAME else name[-LONGEST_NAME:]


def _free(target: bytes) -> bytes:
    """`target`, or a numbered name beside it where something of that name is already."""
    folder, name = os.path.split(target)
    number = 1
    while os.path.lexists(target):
        number += 1
        target = os.path.join(folder, b"%d-%s" % (number, name))
    return target


def _remove_empty(root: bytes, folders: set[bytes]) -> None:
    """Remove folders that have become empty below a patient's; the patient's own stays."""
    for folder in folders:
        while folder.count(b"/") >= 1 and os.path.basename(folder) != URGENT:
            try:
                os.rmdir(os.path.join(root, folder))
            except OSError:  # not empty, or already gone
                break
            folder = os.path.dirname(folder)
