"""Retention, off by default: what a person has reviewed leaves the outbox by age or for space."""

import asyncio
import logging
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.correcting import remove_corrections
from daemon.durable_files import bytes_below
from daemon.index import aging
from daemon.index.database import Database, now
from daemon.index.holdings import held_folders
from daemon.index.reviews import Decision
from daemon.index.scans import ScanRow
from daemon.removed import look_through_removed, remove
from daemon.reviewing import decision_on

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
        while scans := await aging.oldest_scans(self._index, after, PAGE):
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
        folders = await aging.folders_of(self._index, scan.scan_id)
        places = [self._outbox / os.fsdecode(folder) for folder in folders]
        freed = await asyncio.to_thread(bytes_below, *places)
        for folder in folders:
            await asyncio.to_thread(remove, self._outbox, folder)
            await aging.mark_removed(self._index, folder, now())
        freed += await asyncio.to_thread(remove_corrections, self._outbox, scan.scan_id)
        log.info("removed", extra={"scan": scan.scan_id, "bytes": freed})
        return freed

    async def _note_removed(self) -> None:
        """A crash may have come between a folder's end and its note in the index."""
        known = await held_folders(self._index)
        for gone in await asyncio.to_thread(list, look_through_removed(self._outbox)):
            if gone.folder in known:
                await aging.mark_removed(self._index, gone.folder, now())
