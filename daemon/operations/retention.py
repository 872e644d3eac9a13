"""Retention, off by default: what was reviewed leaves the outbox by age or space; reports stay."""

import asyncio
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.index import inventory
from daemon.index.database import Database, now
from daemon.index.inventory import held_folders
from daemon.index.people.reviews import Decision
from daemon.index.scans import ScanRow
from daemon.pipeline.outbox import STAGING, Published, published_results, report_file, report_in
from daemon.records.corrections import remove_corrections
from daemon.records.reviews import decision_on
from daemon.safe_files import bytes_below, link_file, sync_file, sync_folder

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


def removed_results(outbox: Path) -> Iterator[Published]:
    """The results whose files were removed, as their reports tell; none whose folder is there."""
    for gone in published_results(outbox / REMOVED):
        if gone.report is not None and not (outbox / os.fsdecode(gone.folder)).exists():
            yield gone


log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
PAGE = 200  # scans
FIRST = ("", "")


class Retention:
    """Looks every hour what may go. It holds nobody up and never raises."""

    def __init__(
        self, outbox: Path, days: float, gigabytes: float, index: Database, records: Database
    ) -> None:
        self._outbox, self._days, self._bytes = outbox, days, gigabytes * 1e9
        self._index, self._records = index, records
        self._next = 0.0
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Begin a round if retention is on and an hour has passed since the last."""
        is_on = self._days > 0 or self._bytes > 0
        is_busy = self._task is not None and not self._task.done()
        if is_on and not is_busy and time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_SECONDS
            self._task = asyncio.create_task(self._round())

    async def finish(self) -> None:
        """Give up a round that was begun; what it has not come to stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _round(self) -> None:
        try:
            await self.remove_old()
        except OSError as error:
            log.warning("retention_failed", extra={"errno": error.errno})
        except Exception:
            log.exception("retention_failed")

    async def remove_old(self) -> int:
        """Remove all that may go now; how many scans went. Raises OSError."""
        await self._note_removed()
        over = await self._bytes_over()
        before = (datetime.now(UTC) - timedelta(days=self._days)).isoformat(timespec="milliseconds")
        after, count = FIRST, 0
        while scans := await inventory.oldest_scans(self._index, after, PAGE):
            after = (scans[-1].published_at, scans[-1].scan_id)
            for scan in scans:
                is_old = self._days > 0 and scan.published_at < before
                if not is_old and over <= 0:
                    return count
                if await self._is_settled(scan):
                    over -= await self._remove(scan)
                    count += 1
        return count

    async def _is_settled(self, scan: ScanRow) -> bool:
        """Whether a person has said that the mask is right, or wrong; not that it needs work."""
        said = await decision_on(self._records, scan.report)
        return said in (Decision.ACCEPTED, Decision.REJECTED)

    async def _bytes_over(self) -> float:
        """How much more the outbox takes than it may; nothing where no limit was set."""
        if not self._bytes:
            return 0.0
        return await asyncio.to_thread(bytes_below, self._outbox) - self._bytes

    async def _remove(self, scan: ScanRow) -> int:
        """Every revision of a scan goes; the bytes that this freed."""
        folders = await inventory.folders_of(self._index, scan.scan_id)
        places = [self._outbox / os.fsdecode(folder) for folder in folders]
        freed = await asyncio.to_thread(bytes_below, *places)
        for folder in folders:
            await asyncio.to_thread(remove, self._outbox, folder)
            await inventory.mark_removed(self._index, folder, now())
        freed += await asyncio.to_thread(remove_corrections, self._outbox, scan.scan_id)
        log.info("removed", extra={"scan": scan.scan_id, "bytes": freed})
        return freed

    async def _note_removed(self) -> None:
        """A crash may have come between a folder's end and its note in the index."""
        known = await held_folders(self._index)
        for gone in await asyncio.to_thread(list, removed_results(self._outbox)):
            if gone.folder in known:
                await inventory.mark_removed(self._index, gone.folder, now())
