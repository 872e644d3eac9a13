"""How files leave the inbox once their drop has ended; a file that changed meanwhile stays."""

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
    aside = REJECTED if queued.state is State.REJECTED else DUPLICATES
    below = file.path if b"/" in file.path else os.path.join(UNASSIGNED.encode(), file.path)
    folder, name = os.path.split(os.path.join(root, aside, below))
    target = _free(os.path.join(folder, _short(name)))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if queued.state is State.REJECTED:
        with open(target + REASON, "w", encoding="utf-8") as stream:
            stream.write(f"{queued.reason}\n")
    os.rename(here, target)


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
