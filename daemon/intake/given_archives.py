"""One scan that a person assigned out of an archive of several: its own files take its place.

The patient must not get the files of others too, so the archive does not stay in the folder.
"""

import os
from pathlib import Path

from daemon.drops import Drop
from daemon.intake.dropped_files import open_dropped
from daemon.intake.study_split import members_of_study
from daemon.outputs.catalogue import text
from daemon.records.patients import GIVEN
from daemon.safe_files import copy_into_place, sync_folder
from model.errors import UnreadableScan
from model.reading.archive import unpack

FILES = "files"  # the folder of what was taken out, beside the archive


def scan_given(drop: Drop) -> str:
    """The scan_id for whose sake a person's assignment placed this drop, '' for any other drop."""
    folder = drop.place.split(b"/")[1:2]
    is_given = bool(folder) and folder[0].startswith(GIVEN)
    return folder[0].removeprefix(GIVEN).decode("ascii", "replace") if is_given else ""


def take_out(inbox: Path, drop: Drop, staging: Path, study_uid: str | None) -> None:
    """Inside the worker: unpack the files of one study, byte for byte, into FILES of `staging`.

    Raises UnreadableScan where they are not in it, FilesChanged.
    """
    folder = staging / FILES
    folder.mkdir()
    (file,) = drop.files
    with open_dropped(inbox, file):
        members = tuple(unpack(inbox / os.fsdecode(file.path), folder))
    wanted = members_of_study(study_uid, members) if study_uid else ()
    if not wanted:
        raise UnreadableScan(text("intake.not_in_archive"))
    for member in set(members) - set(wanted):
        member.unlink()


def put_in_place(inbox: Path, drop: Drop, taken: Path) -> None:
    """Copy what was taken out beside the archive, by one rename; then the archive, our copy, goes.

    Raises OSError, FilesChanged.
    """
    (file,) = drop.files
    with open_dropped(inbox, file):
        archive = inbox / os.fsdecode(file.path)
        copy_into_place(taken, archive.parent / f".{FILES}", archive.parent / FILES)
        archive.unlink()
    sync_folder(archive.parent)
