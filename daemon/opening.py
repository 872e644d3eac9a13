"""Opening a dropped file, inside the worker, if it is still what was seen."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from daemon.drops import DroppedFile
from daemon.inbox import identify
from model.errors import GliowatchError


class FilesChanged(GliowatchError):
    """The files changed between being seen and being read: they have to rest anew."""


@contextmanager
def open_dropped(inbox: Path, file: DroppedFile) -> Iterator[BinaryIO]:
    """Open a dropped file for reading, a link not followed. Raises FilesChanged."""
    path = os.path.join(os.fsencode(inbox), file.path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        raise FilesChanged("A file went away before it could be read.") from None
    with open(descriptor, "rb") as stream:
        check_unchanged(file, os.fstat(descriptor))
        yield stream


def check_unchanged(file: DroppedFile, facts: os.stat_result) -> None:
    """Raise FilesChanged unless these facts are of the very file that was seen."""
    if not stat.S_ISREG(facts.st_mode) or identify(file.path, facts) != file:
        raise FilesChanged("A file changed while it was read.")
