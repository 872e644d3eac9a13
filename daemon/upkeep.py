"""What follows from the records by itself: deleted patients are erased, given scans are placed."""

import logging
import time
from datetime import timedelta

from daemon.assigning import finish_placing
from daemon.deleting import mirror_hidden
from daemon.index.database import Database
from daemon.index.patient_deletion import erase_due
from daemon.settings import DaemonSettings

log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
AT_WORK = timedelta(minutes=10)  # a viewer that gave a scan so lately may still be copying it


class Upkeep:
    """Brings index and inbox in line with the records, at the start and every hour."""

    def __init__(self, daemon: DaemonSettings, index: Database, records: Database) -> None:
        self._daemon, self._index, self._records = daemon, index, records
        self._next = 0.0

    async def begin(self) -> None:
        """At the start: whatever a kill has left undone."""
        await self._round(timedelta(0))

    async def look(self) -> None:
        """Once an hour."""
        if time.monotonic() >= self._next:
            await self._round(AT_WORK)

    async def _round(self, age: timedelta) -> None:
        self._next = time.monotonic() + EVERY_SECONDS
        if erased := await erase_due(self._records):
            log.info("erased", extra={"records": erased})
        await mirror_hidden(self._index, self._records)
        await finish_placing(self._index, self._records, self._daemon, age)
