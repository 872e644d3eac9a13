"""Retention, off by default: what was reviewed leaves by age or space, for a bin; reports stay."""

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.background import Background
from daemon.index import inventory
from daemon.index.database import Database, now
from daemon.index.inventory import held_folders
from daemon.index.people.reviews import Decision
from daemon.index.queue import set_switch, switch
from daemon.index.scans import ScanRow
from daemon.index.statistics import newest_time
from daemon.pipeline.outbox import Published, published_results, report_file, report_in
from daemon.records.corrections import move_corrections
from daemon.records.reviews import decision_on
from daemon.safe_files import bytes_below, link_file, sync_file, sync_folder
from daemon.settings import DaemonSettings

REMOVED = ".removed"
BIN = ".bin"  # in the outbox: what went, by the day when it did


def remove(outbox: Path, folder: bytes, day: str) -> None:
    """Keep the report of a published folder, then move it into the bin, by one rename.

    day: under which it lies there. A crash leaves it in one place or in the other. Raises OSError.
    """
    place = outbox / os.fsdecode(folder)
    if report_in(place) is None:
        return  # it is none of ours, or gone already
    _keep(report_file(place), outbox / REMOVED / os.fsdecode(folder))
    target = outbox / BIN / day / os.fsdecode(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():  # it came again and goes again on one day
        target = target.with_name(f"{place.name}.{secrets.token_hex(4)}")
    place.rename(target)
    sync_folder(place.parent)
    sync_folder(target.parent)


def binned(outbox: Path) -> list[tuple[str, Path]]:
    """What lies in the bin, the oldest first: since which day, and where."""
    places = sorted((outbox / BIN).glob("*/*/*"))
    return [(place.relative_to(outbox / BIN).parts[0], place) for place in places]


def _keep(report: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".part"
    partial.unlink(missing_ok=True)
    link_file(str(report), str(partial))
    sync_file(partial)
    partial.replace(folder / report.name)
    for place in (folder, folder.parent, folder.parent.parent):
        sync_folder(place)


def removed_results(outbox: Path) -> Iterator[Published]:
    """The results whose files were removed, as their reports tell; none whose folder is there."""
    for gone in published_results(outbox / REMOVED):
        if gone.report is not None and not (outbox / os.fsdecode(gone.folder)).exists():
            yield gone


KNOWN = "clock_known"  # Unix seconds, of the last time that was believed
MOST_APART = 2 * 86400.0  # seconds from the last known time; a machine that was off waits as well
STEADY_SECONDS = 86400.0  # for which a clock that jumped must go on evenly to be believed
MOST_DRIFT = 600.0  # seconds between two clocks meanwhile


@dataclass(frozen=True)
class _Doubt:
    since: float
    wall: float


class PlausibleClock:
    """Compares the clock with the last known time, or with the newest time in the index.

    One that jumped is believed again after a day in which it went on evenly.
    """

    def __init__(
        self,
        index: Database,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index, self._wall, self._steady = index, wall, steady
        self._doubt: _Doubt | None = None

    async def is_plausible(self) -> bool:
        """Ask this before anything goes because of its age."""
        now, known = self._wall(), float(await switch(self._index, KNOWN))
        known = known or await newest_time(self._index) or now
        if abs(now - known) > MOST_APART and not self._has_been_steady(now):
            return False
        self._doubt = None
        await set_switch(self._index, KNOWN, int(now))
        return True

    def _has_been_steady(self, now: float) -> bool:
        moment = self._steady()
        doubt = self._doubt
        if doubt is None or abs((now - doubt.wall) - (moment - doubt.since)) > MOST_DRIFT:
            self._doubt = doubt = _Doubt(moment, now)
        return moment - doubt.since >= STEADY_SECONDS


log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
PAGE = 200  # scans
FIRST = ("", "")
SHARE = 0.05  # of all scans, that go in a round at most
DUE, IN_BIN, HELD = "retention_due", "retention_in_bin", "retention_held"  # what the page says


class Retention:
    """Looks every hour what may go. It holds nobody up and never raises.

    What is due is counted in one round, for people to see, and goes in the next ones: a share of
    all scans at most, into a bin, and only while the clock can be believed.
    """

    def __init__(
        self, daemon: DaemonSettings, index: Database, records: Database, clock: PlausibleClock
    ) -> None:
        self._outbox, self._days = daemon.outbox, daemon.keep_days
        self._bytes, self._grace_days = daemon.keep_gb * 1e9, daemon.grace_days
        self._index, self._records, self._clock = index, records, clock
        self._next = 0.0
        self._rounds = Background("retention_failed")

    def look(self) -> None:
        """Begin a round if retention is on and an hour has passed since the last."""
        is_on = self._days > 0 or self._bytes > 0
        if is_on and not self._rounds.is_busy and time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_SECONDS
            self._rounds.begin(self.remove_old)

    async def finish(self) -> None:
        """Give up a round that was begun; what it has not come to stays."""
        await self._rounds.give_up()

    async def remove_old(self) -> int:
        """One round; how many scans went. Raises OSError."""
        await self._note_moved()
        is_plausible = await self._clock.is_plausible()
        await set_switch(self._index, HELD, int(not is_plausible))
        if not is_plausible:
            log.warning("clock_not_believed")
            return 0
        most = max(1, int(SHARE * await inventory.count_standing(self._index)))
        said = await switch(self._index, DUE)
        due = await self._due()
        for scan in due[: min(most, said)]:
            await self._remove(scan)
        await asyncio.to_thread(self._empty_bin, most)
        await set_switch(self._index, DUE, max(0, len(due) - min(most, said)))
        in_bin = len(await asyncio.to_thread(binned, self._outbox))
        await set_switch(self._index, IN_BIN, in_bin)
        return min(most, said, len(due))

    async def _due(self) -> list[ScanRow]:
        """What may go, the oldest first: older than the days, or what the outbox has too much."""
        over = await self._bytes_over()
        before = (datetime.now(UTC) - timedelta(days=self._days)).isoformat(timespec="milliseconds")
        after, found = FIRST, list[ScanRow]()
        while scans := await inventory.oldest_scans(self._index, after, PAGE):
            after = (scans[-1].published_at, scans[-1].scan_id)
            for scan in scans:
                is_old = self._days > 0 and scan.published_at < before
                if not is_old and over <= 0:
                    return found
                if await self._is_settled(scan):
                    found.append(scan)
                    over -= await self._bytes_of(scan) if over > 0 else 0
        return found

    async def _is_settled(self, scan: ScanRow) -> bool:
        """Whether a person has said that the mask is right, or wrong; not that it needs work."""
        said = await decision_on(self._records, scan.report)
        return said in (Decision.ACCEPTED, Decision.REJECTED)

    async def _bytes_over(self) -> float:
        """How much more the outbox takes than it may, the bin left out; 0 without a limit."""
        if not self._bytes:
            return 0.0
        taken = await asyncio.to_thread(bytes_below, self._outbox)
        return taken - await asyncio.to_thread(bytes_below, self._outbox / BIN) - self._bytes

    async def _bytes_of(self, scan: ScanRow) -> int:
        folders = await inventory.folders_of(self._index, scan.scan_id)
        places = [self._outbox / os.fsdecode(folder) for folder in folders]
        return await asyncio.to_thread(bytes_below, *places)

    async def _remove(self, scan: ScanRow) -> None:
        """Every revision of a scan goes into the bin, and what people corrected of it."""
        day = now()[:10]
        for folder in await inventory.folders_of(self._index, scan.scan_id):
            await asyncio.to_thread(remove, self._outbox, folder, day)
            await inventory.mark_removed(self._index, folder, now())
        into = self._outbox / BIN / day
        await asyncio.to_thread(move_corrections, self._outbox, scan.scan_id, into)
        log.info("removed", extra={"scan": scan.scan_id})

    def _empty_bin(self, most: int) -> None:
        """What has lain there long enough goes for good, so many at most."""
        before = (datetime.now(UTC) - timedelta(days=self._grace_days)).date().isoformat()
        old = [place for day, place in binned(self._outbox) if day <= before]
        for place in old[:most]:
            shutil.rmtree(place)
            for folder in (place.parent, place.parent.parent):
                with contextlib.suppress(OSError):  # others lie there
                    folder.rmdir()

    async def _note_moved(self) -> None:
        """A crash may have come between a folder's move and its note; people put folders back."""
        known = await held_folders(self._index)
        for gone in await asyncio.to_thread(list, removed_results(self._outbox)):
            if gone.folder in known:
                await inventory.mark_removed(self._index, gone.folder, now())
        for folder in await inventory.removed_folders(self._index):
            if report_in(self._outbox / os.fsdecode(folder)) is not None:
                await inventory.mark_back(self._index, folder)
                await asyncio.to_thread(shutil.rmtree, self._outbox / REMOVED / os.fsdecode(folder))
