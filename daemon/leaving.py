"""How files leave the inbox once their drop has ended; a file that changed meanwhile stays."""

import contextlib
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


def leave(inbox: Path, queued: QueuedDrop) -> dict[bytes, bytes | None]:
    """Take an ended drop's files out of the inbox; where below it each one lies now, if it does.

    Files of a done drop are removed, since the outbox holds them, byte for byte; those of a
    duplicate or a rejected one are moved aside. A file whose inode, size or time differs is a
    new drop and stays, but counts as left for this one. Running it twice does no harm.
    """
    root = os.fsencode(inbox)
    places = {file.path: _leave(root, queued, file) for file in queued.drop.files}
    _remove_empty(root, {os.path.dirname(file.path) for file in queued.drop.files})
    return places


def come_back(inbox: Path, path: bytes, aside: bytes) -> None:
    """Move a file that was set aside to its name in the inbox, or beside that; never onto another.

    Its `.reason.txt` goes. Raises FileNotFoundError when it does not lie there any more.
    """
    root = os.fsencode(inbox)
    wanted = os.path.join(root, path)
    _make_folders(os.path.dirname(wanted))
    os.rename(os.path.join(root, aside), _free(wanted))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(root, aside) + REASON)
    _remove_empty(root, {os.path.dirname(aside)})


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


def _leave(root: bytes, queued: QueuedDrop, file: DroppedFile) -> bytes | None:
    here = os.path.join(root, file.path)
    is_here = _is_unchanged(root, file)
    if queued.state is State.DONE:
        if is_here:
            os.unlink(here)
        return None
    is_rejected = queued.state is State.REJECTED
    aside = REJECTED if is_rejected else DUPLICATES
    below = file.path if b"/" in file.path else os.path.join(UNASSIGNED.encode(), file.path)
    short = os.path.join(below.split(b"/")[0], os.path.basename(below))
    places = [os.path.join(root, aside, name) for name in (below, short)]
    if not is_here:  # a crash came before it was noted where it lies
        found = _aside_already(places, file)
    else:
        found = _move_aside(here, places, queued.reason if is_rejected else None)
    return None if found is None else os.path.relpath(found, root)


def _aside_already(places: list[bytes], file: DroppedFile) -> bytes | None:
    """Where a file that left before lies: moved, it is still the same file to the system."""
    for folder in dict.fromkeys(os.path.dirname(place) for place in places):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                facts = entry.stat(follow_symlinks=False)
                if identify(file.path, facts) == file:
                    return entry.path
    return None


def _move_aside(here: bytes, places: list[bytes], reason: str | None) -> bytes:
    """Move to the first place, or to the second if none can be there; where it lies then.

    A name may be too long, or one of its folders be the name of a file that was set aside.
    """
    try:
        return _move(here, places[0], reason)
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR):
            raise
        return _move(here, places[1], reason)


def _move(here: bytes, wanted: bytes, reason: str | None) -> bytes:
    folder, name = os.path.split(wanted)
    _make_folders(folder)
    target = _free(os.path.join(folder, _short(name)))
    if reason is not None:
        with open(target + REASON, "w", encoding="utf-8") as stream:
            stream.write(f"{reason}\n")
    os.rename(here, target)
    return target


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
