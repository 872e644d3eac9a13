"""The files of a published scan leave the outbox for good; its reports stay in `.removed`."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.outbox import Published, report_in
from daemon.publishing import STAGING, sync_folder

REMOVED = ".removed"
ENDING = ".json"


def remove(outbox: Path, folder: bytes) -> None:
    """Keep the report of a published folder aside, then take the folder away, by one rename.

    A crash leaves either the folder, or the report without it. Raises OSError.
    """
    place = outbox / os.fsdecode(folder)
    report = report_in(place)
    if report is None:
        return  # it is none of ours, or gone already
    _keep(outbox / REMOVED / f"{os.fsdecode(folder)}{ENDING}", report)
    aside = outbox / STAGING / f"removed-{place.name}-{secrets.token_hex(4)}"
    aside.parent.mkdir(exist_ok=True)
    place.rename(aside)  # what a crash leaves there goes at the next start
    sync_folder(place.parent)
    shutil.rmtree(aside)


def _keep(target: Path, report: dict[str, Any]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    with open(partial, "w", encoding="utf-8") as stream:
        json.dump(report, stream, ensure_ascii=False, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(target)
    sync_folder(target.parent)


def look_through_removed(outbox: Path) -> Iterator[Published]:
    """The results whose files were removed, as their reports tell; none whose folder is there."""
    for path in sorted((outbox / REMOVED).glob(f"*/*{ENDING}")):
        folder = path.relative_to(outbox / REMOVED).with_suffix("")
        if not (outbox / folder).exists():
            yield Published(os.fsencode(folder), json.loads(path.read_text("utf-8")))


def bytes_below(folder: Path) -> int:
    """What the files below a folder take, each counted once however many links it has."""
    sizes: dict[int, int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            facts = os.lstat(os.path.join(place, name))
            sizes[facts.st_ino] = facts.st_blocks * 512
    return sum(sizes.values())
