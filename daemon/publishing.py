"""The outbox: a result is written aside, synced, and appears by one rename, whole or not at all."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daemon.durable_files import sync_folder

STAGING = ".staging"
DAMAGED = ".damaged"


def clear_staging(outbox: Path) -> None:
    """At start: what lies in the staging folder was cut off by a crash, and is made anew."""
    shutil.rmtree(outbox / STAGING, ignore_errors=True)
    (outbox / STAGING).mkdir(parents=True, exist_ok=True)


@contextmanager
def staging_folder(outbox: Path, name: str) -> Iterator[Path]:
    """An empty folder on the outbox's own file system, so that a rename can publish it."""
    folder = outbox / STAGING / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)  # never the outbox itself: it may be away
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def revision_folder(patient_folder: bytes, scan_id: str, revision: int) -> Path:
    """Where a revision of a scan is published, below the outbox."""
    name = scan_id if revision == 1 else f"{scan_id}-r{revision}"
    return Path(os.fsdecode(patient_folder)) / name


def published_report(outbox: Path, folder: Path, scan_id: str) -> dict[str, Any] | None:
    """The report of a revision's folder that was published before, or None.

    A folder without a readable report is none of ours, or was damaged: it is moved aside to
    `.damaged`, so that the scan can be published anew.
    """
    place = outbox / folder
    if not os.path.lexists(place):
        return None
    try:
        text = (place / f"{scan_id}_report.json").read_text("utf-8")
        content: dict[str, Any] = json.loads(text)
        return content
    except (FileNotFoundError, NotADirectoryError, ValueError):
        aside = outbox / DAMAGED / f"{folder.name}-{secrets.token_hex(4)}"
        aside.parent.mkdir(exist_ok=True)
        place.rename(aside)
        return None


def publish(staging: Path, folder: Path) -> None:
    """Rename `staging`, whose files its writer has synced, to `folder`, which is not there yet."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging.rename(folder)
    sync_folder(folder.parent)
    sync_folder(folder.parent.parent)
