"""Files brought safely to the disk: content, names of a folder, the same file under two names."""

import os
import shutil
from pathlib import Path


def sync_tree(folder: Path) -> None:
    """Bring all files and folders below `folder`, and itself, safely to the disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(os.path.join(place, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(place))


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names safely to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_file(file: str, target: str) -> None:
    """The same file under another name; copied where the file system knows no links."""
    try:
        os.link(file, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(file, target, follow_symlinks=False)


def sync_file(file: Path) -> None:
    """Bring a file's content safely to the disk."""
    descriptor = os.open(file, os.O_RDONLY)
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
