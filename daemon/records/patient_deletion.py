"""Deleting a patient and undoing it; what is due is erased, and assigned scans are filed."""

import logging
import time
from collections.abc import Iterable
from datetime import timedelta

from daemon.index.database import Database
from daemon.index.patient_scans import set_hidden
from daemon.index.people import patient_deletion
from daemon.index.people.patient_deletion import deleted_ids, erase_due
from daemon.index.people.patients import Patient
from daemon.records.assignments import finish_placing
from daemon.settings import DaemonSettings


async def delete(index: Database, records: Database, patient: Patient, who: str) -> None:
    """Hide a patient everywhere; what was entered is kept aside for 30 days, no file is touched."""
    await patient_deletion.delete_patient(records, patient, who)
    await mirror_hidden(index, records)


async def bring_back(index: Database, records: Database, patient_key: str, who: str) -> bool:
    """Undo it, also after a scan brought the bare entry back; False if nothing is kept aside."""
    done = await patient_deletion.undo_deletion(records, patient_key, who)
    await mirror_hidden(index, records)
    return done


async def come_again(index: Database, records: Database, patient_ids: Iterable[str]) -> None:
    """A drop came, or ended, for these: who was deleted is listed again, as a bare entry."""
    if await patient_deletion.list_again(records, patient_ids):
        await mirror_hidden(index, records)


async def mirror_hidden(index: Database, records: Database) -> None:
    """At start, and after every deletion or undo."""
    await set_hidden(index, await deleted_ids(records))


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
