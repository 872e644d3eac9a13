"""How gliowatch is: versions, at work or not, room on its disks, what is left, the last nights."""

import asyncio
import platform
import shutil
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from daemon.confinement import protection
from daemon.index import queue
from daemon.index.database import Database
from daemon.index.statistics import RECONCILE, Night, nights, seconds_since, silence_limit
from daemon.outputs.catalogue import text
from daemon.settings import Settings
from model.errors import naming

PACKAGES = ("openvino", "numpy", "scipy", "nibabel", "pydicom", "pillow", "aiohttp", "watchdog")
OPTIONAL = ("torch", "monai")  # the extra `train`


def versions() -> dict[str, str]:
    """Of gliowatch, Python and the packages that count; none of them is loaded for it."""
    packages = {name: version(name) for name in PACKAGES}
    return {"gliowatch": version("gliowatch"), "Python": platform.python_version(), **packages}


def about(settings: Settings) -> dict[str, Any]:
    """Everything that a bug report should hold. Secrets are shown as stars."""
    from model.network.network import load_network
    from model.reading.dicom.decoders import codecs_in_use

    weights = settings.model.weights_file
    with naming(weights, "model.weights") if weights else nullcontext():
        network = load_network(weights)
    return {
        "gliowatch": version("gliowatch"),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in (*PACKAGES, *OPTIONAL)},
        "device": network.device,
        "workers_kept_from": asdict(protection()),
        "model": {"name": network.name, "weights_sha256": network.sha256},
        "codecs": [asdict(each) for each in codecs_in_use()],
        "settings": settings.model_dump(mode="json"),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def is_quiet(hours: str, moment: time) -> bool:
    """Whether a local time lies in hours such as `22:00-06:00`, which may pass midnight."""
    if not hours:
        return False
    begin, end = (time.fromisoformat(part) for part in hours.split("-"))
    if begin <= end:
        return begin <= moment < end
    return moment >= begin or moment < end


def has_room(outbox: Path, reserve_bytes: float) -> bool:
    """Whether the outbox's disk has at least the reserve free; OSError if it is away."""
    return shutil.disk_usage(outbox).free >= reserve_bytes


T = TypeVar("T")
ANSWER_SECONDS = 3.0  # a folder that takes longer is away
NIGHTS = 14


@dataclass(frozen=True)
class Sign:
    """Whether the daemon is at work, and when it last showed itself: UTC, ISO 8601, or ''."""

    is_alive: bool
    at: str


@dataclass(frozen=True)
class Condition:
    """The system at a glance. minutes_left: None where nothing tells how long a scan takes.

    share_free: of the outbox's disk, 0 to 1; None where that does not answer.
    """

    sign: Sign
    paused: bool
    disk_low: bool
    counts: queue.Counts
    minutes_left: float | None
    share_free: float | None


@dataclass(frozen=True)
class Folder:
    """A folder and its disk. fault: why nothing can be written there, '' where it was."""

    path: Path
    free_bytes: int
    total_bytes: int
    fault: str


async def condition(
    index: Database, outbox: Path, reconcile_seconds: float, slots: int
) -> Condition:
    """How it is now."""
    counts = await queue.counts(index)
    seconds = await queue.seconds_a_scan(index)
    disk = await _answer(shutil.disk_usage, outbox)
    todo = counts.waiting + counts.running
    return Condition(
        sign=await last_sign_of_life(index, reconcile_seconds),
        paused=bool(await queue.switch(index, "paused")),
        disk_low=bool(await queue.switch(index, "disk_low")),
        counts=counts,
        minutes_left=None if seconds is None else seconds * todo / slots / 60,
        share_free=None if disk is None else disk.free / max(1, disk.total),
    )


async def last_sign_of_life(index: Database, reconcile_seconds: float) -> Sign:
    """The daemon's last look through the inbox; alive if it is not too long ago."""
    seconds = await seconds_since(index, RECONCILE)
    if seconds is None:
        return Sign(False, "")
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    return Sign(seconds <= silence_limit(reconcile_seconds), at.isoformat(timespec="seconds"))


async def folder_of(path: Path) -> Folder:
    """A folder's disk, and whether a file can be written there: one without a name is tried."""
    disk = await _answer(shutil.disk_usage, path)
    if disk is None:
        return Folder(path, 0, 0, text("folder_fault.missing"))
    written = await _answer(_try_to_write, path)
    return Folder(path, disk.free, disk.total, "" if written else text("folder_fault.not_writable"))


async def last_nights(index: Database, now: datetime, hour: int) -> list[Night]:
    """The last nights, of 24 hours from that full hour of local time on, the newest first.

    Empty ones before the first that brought something are left out. now: with its zone.
    """
    evening = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    newest = evening if now >= evening else evening - timedelta(days=1)
    begins = [newest - timedelta(days=back) for back in range(NIGHTS)]
    found = await nights(index, [(_utc(day), _utc(day + timedelta(days=1))) for day in begins])
    while len(found) > 1 and not (found[-1].received or found[-1].median is not None):
        found.pop()
    return found


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _try_to_write(folder: Path) -> bool:
    with tempfile.TemporaryFile(dir=folder, prefix=".gliowatch-") as stream:
        stream.write(b"0")
    return True


async def _answer(ask: Callable[[Path], T], path: Path) -> T | None:
    """What the disk says; None where it refuses, or hangs."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(ask, path), ANSWER_SECONDS)
    except (OSError, TimeoutError):
        return None
