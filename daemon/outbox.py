"""Looking through the outbox: which results were published, as their folders themselves say."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.names import SOURCE


@dataclass(frozen=True)
class Published:
    """A folder of the outbox: its path below it, and its report; None if that cannot be read."""

    folder: bytes
    report: dict[str, Any] | None


def look_through_outbox(outbox: Path) -> Iterator[Published]:
    """Every patient's every folder, by name; hidden ones are our own workshop."""
    for patient in _folders(os.fsencode(outbox)):
        for name in _folders(os.path.join(os.fsencode(outbox), patient)):
            folder = os.path.join(patient, name)
            yield Published(folder, report_in(outbox / os.fsdecode(folder)))


def source_files(folder: Path) -> list[Path]:
    """The dropped files that a published folder keeps, by path."""
    return sorted(path for path in (folder / SOURCE).rglob("*") if path.is_file())


def scan_of(folder: Path) -> str:
    """The scan_id that a published folder's name tells, of whatever revision."""
    return folder.name.partition("-r")[0]


def report_file(folder: Path) -> Path:
    """Where the report for machines lies in a published folder."""
    return folder / f"{scan_of(folder)}_report.json"


def _folders(place: bytes) -> list[bytes]:
    try:
        with os.scandir(place) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith(b"."))
    except FileNotFoundError:
        return []


def report_in(folder: Path) -> dict[str, Any] | None:
    """The report of a published folder, or None if it has none that can be read."""
    scan_id = scan_of(folder)
    try:
        content = json.loads(report_file(folder).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("scan_id") == scan_id else None
