"""Deleting a patient and undoing it: the records first, then the index, which only mirrors them."""

from collections.abc import Iterable

from daemon.index import patient_deletion
from daemon.index.database import Database
from daemon.index.hidden import set_hidden
from daemon.index.patient_deletion import deleted_ids
from daemon.index.patients import Patient


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
