"""How files leave the inbox once their drop has ended; a file that changed meanwhile stays."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from daemon.drops import UNASSIGNED, URGENT, DroppedFile, QueuedDrop, State
from daemon.index.inventory import HeldFile
from daemon.intake.dropped_files import GONE, open_folder
from daemon.intake.inbox_scan import LEAVING, MARK, identify
from daemon.safe_files import rename_new

REJECTED = b".rejected"
DUPLICATES = b".duplicates"
REASON = b".reason.txt"
LONGEST_NAME = 230  # bytes; file systems allow 255
LONGEST_NAME_OF_ALL = 255


def leave(inbox: Path, queued: QueuedDrop) -> dict[bytes, bytes | None]:
    """Take an ended drop's files out of the inbox; where below it each one lies now, if it does.

    Files of a done drop are removed, since the outbox holds them, byte for byte; those of a
    duplicate or a rejected one are moved aside. A file whose inode, size, time or bytes differ
    is a new drop and stays, but counts as left for this one. Running it twice does no harm.
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
    _rename_beside(os.path.join(root, aside), wanted)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(root, aside) + REASON)
    _remove_empty(root, {os.path.dirname(aside)})


def remove_aside(inbox: Path, place: bytes) -> None:
    """Delete a file that was set aside, and its `.reason.txt`; no matter if it is gone already.

    Raises OSError where the inbox is away.
    """
    root = os.fsencode(inbox)
    os.stat(os.path.join(root, MARK.encode()))  # else all would seem to be gone
    folder, name = os.path.split(place)
    for each in (name, name + REASON):
        gone = contextlib.suppress(FileNotFoundError, NotADirectoryError)
        with gone, open_folder(root, folder) as below:
            os.unlink(each, dir_fd=below)
    _remove_empty(root, {folder})


def file_loose(inbox: Path, file: DroppedFile, patient: str) -> None:
    """Move a loose file into its patient's folder; never onto another file."""
    root = os.fsencode(inbox)
    folder = os.path.join(root, os.fsencode(patient))
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)  # never the inbox itself: it may be away
    _rename_beside(os.path.join(root, file.path), os.path.join(folder, file.path))


def _leave(root: bytes, queued: QueuedDrop, file: DroppedFile) -> bytes | None:
    folder, name = os.path.split(file.path)
    try:
        with open_folder(root, folder) as place:
            taken = _take(place, name, file, queued.hashes.get(file.path))
            if queued.state is State.DONE:
                if taken is not None:
                    os.unlink(taken, dir_fd=place)
                return None
            return _set_aside(root, queued, file, place, taken)
    except OSError as error:
        is_gone = error.errno in GONE and os.path.lexists(os.path.join(root, MARK.encode()))
        if not is_gone:  # or the whole inbox is away
            raise
        return None if queued.state is State.DONE else _set_aside(root, queued, file, None, None)


def _set_aside(
    root: bytes, queued: QueuedDrop, file: DroppedFile, place: int | None, taken: bytes | None
) -> bytes | None:
    is_rejected = queued.state is State.REJECTED
    aside = REJECTED if is_rejected else DUPLICATES
    below = file.path if b"/" in file.path else os.path.join(UNASSIGNED.encode(), file.path)
    short = os.path.join(below.split(b"/")[0], os.path.basename(below))
    places = [os.path.join(root, aside, name) for name in (below, short)]
    if place is None or taken is None:  # a crash came before it was noted where it lies
        found = _aside_already(places, file)
    else:
        found = _move_aside(place, taken, places, queued.reason if is_rejected else None)
    return None if found is None else os.path.relpath(found, root)


def _take(place: int, name: bytes, file: DroppedFile, digest: str | None) -> bytes | None:
    """Give the file a name of our own, so that nothing new can come under it; that name.

    None if another file has the name by now, or none: a new one is put back as it was.
    """
    ours = LEAVING + name
    left_before = _seen(place, ours, file)  # a crash came before; the rename changed its ctime
    if left_before and left_before.looks == file.looks:
        if digest is None or _holds(place, ours, digest):
            return ours
        _put_back(place, name)
    if not _is_unchanged(place, name, file, digest):
        return None
    if len(ours) > LONGEST_NAME_OF_ALL:
        return name
    rename_new(name, ours, of=place, into=place)
    taken = _seen(place, ours, file)
    if taken and taken.looks == file.looks:
        return ours
    _put_back(place, name)
    return None


def has_changed(inbox: Path, files: Iterable[HeldFile]) -> bool:
    """Whether one of the files that were set aside has been written to since."""
    root = os.fsencode(inbox)
    for held in files:
        with contextlib.suppress(OSError):
            facts = os.lstat(os.path.join(root, held.aside or held.file.path))
            is_same = facts.st_ino == held.file.inode
            if is_same and identify(held.file.path, facts).looks != held.file.looks:
                return True
    return False


def put_back(inbox: Path, path: bytes) -> None:
    """A name of our own that a crash left in the inbox gets back the name that it had."""
    folder, ours = os.path.split(path)
    with open_folder(os.fsencode(inbox), folder) as place:
        _put_back(place, ours.removeprefix(LEAVING))


def _put_back(place: int, name: bytes) -> None:
    wanted, number = name, 1
    while True:
        try:
            os.link(LEAVING + name, wanted, src_dir_fd=place, dst_dir_fd=place)
        except FileExistsError:
            number += 1
            wanted = b"%d-%s" % (number, name)
        else:
            return os.unlink(LEAVING + name, dir_fd=place)


def _is_unchanged(place: int, name: bytes, file: DroppedFile, digest: str | None) -> bool:
    """Whether nobody touched the file, or somebody did, but its bytes are those that were copied.

    A rewrite in place with the old time put back (`rsync --inplace -t`) moves the ctime alone.
    """
    seen = _seen(place, name, file)
    if seen is None or seen.looks != file.looks:
        return False
    return seen == file or (digest is not None and _holds(place, name, digest))


def _seen(place: int, name: bytes, file: DroppedFile) -> DroppedFile | None:
    """What has the name now, as a file of this path; None if nothing has."""
    try:
        facts = os.stat(name, dir_fd=place, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (*GONE, errno.ENAMETOOLONG):
            raise
        return None
    return identify(file.path, facts)


def _holds(place: int, name: bytes, digest: str) -> bool:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with open(os.open(name, flags, dir_fd=place), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == digest


def _aside_already(places: list[bytes], file: DroppedFile) -> bytes | None:
    """Where a file that left before lies: moved, it is still the same file to the system."""
    for folder in dict.fromkeys(os.path.dirname(place) for place in places):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                facts = entry.stat(follow_symlinks=False)
                if identify(file.path, facts).looks == file.looks:
                    return entry.path
    return None


def _move_aside(place: int, name: bytes, places: list[bytes], reason: str | None) -> bytes:
    """Move to the first place, or to the second if none can be there; where it lies then.

    A name may be too long, or one of its folders be the name of a file that was set aside.
    """
    try:
        return _move(place, name, places[0], reason)
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR):
            raise
        return _move(place, name, places[1], reason)


def _move(place: int, here: bytes, wanted: bytes, reason: str | None) -> bytes:
    folder, name = os.path.split(wanted)
    _make_folders(folder)
    return _rename_beside(here, os.path.join(folder, _short(name)), place, reason)


def _rename_beside(
    here: bytes, wanted: bytes, place: int | None = None, reason: str | None = None
) -> bytes:
    """Rename to `wanted`, or beside it where something is or just comes; the reason comes first."""
    while True:
        target = _free(wanted)
        if reason is not None:
            with open(target + REASON, "w", encoding="utf-8") as stream:
                stream.write(f"{reason}\n")
        try:
            rename_new(here, target, of=place)
        except FileExistsError:
            if reason is not None:
                os.unlink(target + REASON)
        else:
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
