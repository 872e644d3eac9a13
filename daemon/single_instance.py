"""One daemon for one index and one inbox: a lock goes with the process, however that ends."""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from model.errors import GliowatchError

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
    try:
        with _lock_of(index).open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in HELD
    return False


@contextmanager
def only_one_in(inbox: Path) -> Iterator[None]:
    """Hold the lock of an inbox, as far as its file system knows locks. Raises AlreadyRunning."""
    with _held(inbox / IN_INBOX):
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
