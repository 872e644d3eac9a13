"""Opening a dropped file, inside the worker, if it is still what was seen."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from daemon.drops import DroppedFile
from daemon.intake.inbox_scan import identify
from daemon.outputs.catalogue import text
from model.errors import GliowatchError

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ESTALE)


class FilesChanged(GliowatchError):
    """The files changed between being seen and being read: they have to rest anew."""


@contextmanager
def open_folder(root: bytes, folder: bytes) -> Iterator[int]:
    """A descriptor of a folder below `root`, none of whose parts is a link. Raises OSError.

    A name in it, asked for by this descriptor, cannot lead outside whatever is moved meanwhile.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in folder.split(b"/") if folder else ():
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_dropped(inbox: Path, file: DroppedFile) -> Iterator[BinaryIO]:
    """Open a dropped file for reading, a link not followed.

    Its ctime does not count here: whoever copies it looks whether that moves meanwhile.
    Raises FilesChanged when it is gone or another, OSError when it cannot be read now.
    """
    folder, name = os.path.split(file.path)
    try:
        with open_folder(os.fsencode(inbox), folder) as place:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(name, flags, dir_fd=place)
    except OSError as error:
        if error.errno not in GONE:  # it may not be read, or its disk is away: it is not gone
            raise
        raise FilesChanged(text("intake.file_gone")) from None
    with open(descriptor, "rb") as stream:
        check_unchanged(file, os.fstat(descriptor))
        yield stream


def check_unchanged(file: DroppedFile, facts: os.stat_result) -> None:
    """Raise FilesChanged unless these facts are of the very file that was seen."""
    if not stat.S_ISREG(facts.st_mode) or identify(file.path, facts).looks != file.looks:
        raise FilesChanged(text("intake.file_changed"))
