"""Opening a dropped file, inside the worker, if it is still what was seen."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from daemon.drops import DroppedFile
from daemon.inbox import identify
from model.errors import GliowatchError

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ESTALE)


class FilesChanged(GliowatchError):
    """The files changed between being seen and being read: they have to rest anew."""


@contextmanager
def open_dropped(inbox: Path, file: DroppedFile) -> Iterator[BinaryIO]:
    """Open a dropped file for reading, a link not followed.

    Raises FilesChanged when it is gone or another, OSError when it cannot be read now.
    """
    path = os.path.join(os.fsencode(inbox), file.path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno not in GONE:  # it may not be read, or its disk is away: it is not gone
            raise
        raise FilesChanged("A file went away before it could be read.") from None
    with open(descriptor, "rb") as stream:
        check_unchanged(file, os.fstat(descriptor))
        yield stream


def check_unchanged(file: DroppedFile, facts: os.stat_result) -> None:
    """Raise FilesChanged unless these facts are of the very file that was seen."""
    if not stat.S_ISREG(facts.st_mode) or identify(file.path, facts) != file:
        raise FilesChanged("A file changed while it was read.")
