"""One daemon for one index: the lock goes with the process, however that ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import GliowatchError


class AlreadyRunning(GliowatchError):
    """Another daemon works on this inbox."""


@contextmanager
def only_one(index: Path) -> Iterator[None]:
    """Hold the lock beside the index file. Raises AlreadyRunning if somebody else has it."""
    path = index.with_name(f"{index.name}.lock")
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning("Another gliowatch runs on this inbox already.") from None
        yield
