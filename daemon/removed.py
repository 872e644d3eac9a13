"""The files of a published scan leave the outbox for good; its reports stay below `.removed`."""

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from daemon.durable_files import link_file, sync_file, sync_folder
from daemon.outbox import Published, look_through_outbox, report_file, report_in
from daemon.publishing import STAGING

REMOVED = ".removed"


def remove(outbox: Path, folder: bytes) -> None:
    """Keep the report of a published folder, then take the folder away, by one rename.

    A crash leaves either the folder, or the report without it. Raises OSError.
    """
    place = outbox / os.fsdecode(folder)
    if report_in(place) is None:
        return  # it is none of ours, or gone already
    _keep(report_file(place), outbox / REMOVED / os.fsdecode(folder))
    aside = outbox / STAGING / f"removed-{place.name}-{secrets.token_hex(4)}"
    aside.parent.mkdir(exist_ok=True)
    place.rename(aside)  # what a crash leaves there goes at the next start
    sync_folder(place.parent)
    shutil.rmtree(aside)


def _keep(report: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".part"
    partial.unlink(missing_ok=True)
    link_file(str(report), str(partial))
    sync_file(partial)
    partial.replace(folder / report.name)
    for place in (folder, folder.parent, folder.parent.parent):
        sync_folder(place)


def look_through_removed(outbox: Path) -> Iterator[Published]:
    """The results whose files were removed, as their reports tell; none whose folder is there."""
    for gone in look_through_outbox(outbox / REMOVED):
        if gone.report is not None and not (outbox / os.fsdecode(gone.folder)).exists():
            yield gone
