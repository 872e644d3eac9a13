"""Files brought safely to the disk: content, names of a folder, the same file under two names."""

import os
import shutil
from pathlib import Path


def sync_tree(folder: Path) -> None:
    """Bring all files and folders below `folder`, and itself, safely to the disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            sync_file(os.path.join(place, name))
        sync_folder(place)


def sync_folder(folder: Path | str) -> None:
    """Bring a folder's list of names safely to the disk."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def link_file(file: str, target: str) -> None:
    """The same file under another name; copied where the file system knows no links."""
    try:
        os.link(file, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(file, target, follow_symlinks=False)


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
