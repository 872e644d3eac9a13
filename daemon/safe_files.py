"""Files that must not be lost or shared: synced, linked, and one daemon for one index and inbox."""

import ctypes
import errno
import fcntl
import grp
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from model.errors import GliowatchError


def sync_tree(folder: Path) -> None:
    """Bring all files and folders below `folder`, and itself, safely to the disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            sync_file(os.path.join(place, name))
        sync_folder(place)


def copy_into_place(source: Path, aside: Path, target: Path) -> None:
    """Copy a folder of plain files beside `target`, and rename it to that; one that is there stays.

    aside: what a kill left half done there goes first. No link is followed, at any depth, while
    it is copied either: a program that wrote the folder may be taken over. Raises OSError for one.
    """
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists():
        return
    for place, folders, files, descriptor in os.fwalk(source, onerror=_raise):
        into = aside / os.path.relpath(place, source)
        into.mkdir()
        for name in folders:
            if not stat.S_ISDIR(os.lstat(name, dir_fd=descriptor).st_mode):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        for name in files:
            _copy_plain(name, descriptor, into / name)
    sync_tree(aside)
    aside.rename(target)
    sync_folder(target.parent)


def _raise(error: OSError) -> None:
    raise error


def _copy_plain(name: str, folder: int, target: Path) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as source, target.open("xb") as made:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        shutil.copyfileobj(source, made)


def sync_folder(folder: Path | str) -> None:
    """Bring a folder's list of names safely to the disk."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def link_file(file: str, target: str) -> None:
    """The same file under another name; copied where the file system knows no links."""
    try:
        os.link(file, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(file, target, follow_symlinks=False)


_renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)  # not in every libc
_AT_FDCWD, _NOREPLACE = -100, 1
_CANNOT = (errno.EINVAL, errno.ENOSYS)  # the kernel or the file system does not know NOREPLACE


def rename_new(
    source: bytes, target: bytes, of: int | None = None, into: int | None = None
) -> None:
    """Rename, but never onto a file that is there: then FileExistsError, whoever came first.

    of, into: descriptors of the folders that the two names count from. Where a file system cannot
    do it in one step, as NFS, the file has both names for a moment.
    """
    code = _rename_at_once(source, target, of, into)
    if code in _CANNOT:
        os.link(source, target, src_dir_fd=of, dst_dir_fd=into, follow_symlinks=False)
        os.unlink(source, dir_fd=of)
    elif code:
        raise OSError(code, os.strerror(code))


def _rename_at_once(source: bytes, target: bytes, of: int | None, into: int | None) -> int:
    """0, or the errno that says why not."""
    if _renameat2 is None:
        return errno.ENOSYS
    here, there = (_AT_FDCWD if folder is None else folder for folder in (of, into))
    failed = _renameat2(here, source, there, target, _NOREPLACE)
    return ctypes.get_errno() if failed else 0


def sync_file(file: Path | str) -> None:
    """Bring a file's content safely to the disk."""
    _sync(file, os.O_RDONLY)


def _sync(path: Path | str, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def bytes_below(*folders: Path) -> int:
    """What the files below folders take, each counted once however many links it has."""
    sizes: dict[int, int] = {}
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                facts = os.lstat(os.path.join(place, name))
                sizes[facts.st_ino] = facts.st_blocks * 512
    return sum(sizes.values())


SHARED = 0o2750  # what is made in such a folder belongs to its group, at any depth


def group_number(name: str) -> int | None:
    """The number of a group, by its name or as a number; None if there is no such group."""
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def share_with(group: str, folders: Iterable[Path]) -> None:
    """Folders that the group may read, with all that is made in them from now on.

    '' changes nothing: then files belong to the group of the user. Raises GroupRefused.
    """
    number = group_number(group) if group else None
    for folder in folders if group else ():
        folder.mkdir(exist_ok=True)
        facts = folder.stat()
        if (facts.st_gid, stat.S_IMODE(facts.st_mode)) == (number, SHARED):
            continue
        try:
            if number is None:
                raise PermissionError
            os.chown(folder, -1, number)
            folder.chmod(SHARED)
        except PermissionError:
            raise GroupRefused(
                f"daemon.group = {group}: this user cannot give {folder} to this group; the user"
                " must own the folder and be in the group."
            ) from None


class GroupRefused(GliowatchError):
    """The group of the settings is not there, or not one of this user's."""


IN_INBOX = ".gliowatch.lock"
HELD = (errno.EWOULDBLOCK, errno.EACCES)


class AlreadyRunning(GliowatchError):
    """Another daemon works on this inbox."""


@contextmanager
def only_one(index: Path) -> Iterator[bool]:
    """Hold the lock beside the index file; whether its last holder was cut off.

    Raises AlreadyRunning if somebody else has it.
    """
    with _held(_lock_of(index)) as stream:
        stream.seek(0)
        was_cut_off = bool(stream.read())
        stream.write("at work\n")
        stream.flush()
        yield was_cut_off
        stream.truncate(0)


def is_at_work(index: Path) -> bool:
    """Whether a daemon holds the lock of this index now."""
    return is_held(_lock_of(index))


def is_held(place: Path) -> bool:
    """Whether some process holds the lock file at this path now."""
    try:
        with place.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in HELD
    return False


@contextmanager
def only_one_in(inbox: Path) -> Iterator[None]:
    """Hold the lock of an inbox, as far as its file system knows locks. Raises AlreadyRunning."""
    with _held(inbox / IN_INBOX):
        yield


@contextmanager
def only_one_at(place: Path) -> Iterator[None]:
    """Hold a lock file at this path. Raises AlreadyRunning."""
    with _held(place):
        yield


def _lock_of(index: Path) -> Path:
    return index.with_name(f"{index.name}.lock")


@contextmanager
def _held(path: Path) -> Iterator[TextIO]:
    with path.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in HELD:
                raise AlreadyRunning("Another gliowatch runs on this inbox already.") from None
        yield stream
