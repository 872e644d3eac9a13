"""Photos of patients, in the records: small pictures of our own making, under opaque ids."""

import secrets

from daemon.index.database import Database
from daemon.index.patients import Patient, find_patient, write_fields


async def set_photo(records: Database, patient: Patient, jpeg: bytes | None, who: str) -> bool:
    """Give a patient another photo, or none; the one before is forgotten. False if deleted."""
    photo_id = secrets.token_urlsafe(12) if jpeg else ""
    async with records.transaction():
        current = await find_patient(records, patient.patient_key)
        if current is None or current.deleted_at:
            return False
        if jpeg:
            await records.change("INSERT INTO photos VALUES (?, ?)", (photo_id, jpeg))
        await records.change("DELETE FROM photos WHERE photo_id = ?", (current.photo_id,))
        await write_fields(records, current, {"photo_id": photo_id}, who)
    return True


async def find_photo(records: Database, photo_id: str) -> bytes | None:
    """The JPEG of a patient who is not deleted, or None."""
    row = await records.row(
        "SELECT jpeg FROM photos JOIN patients USING (photo_id)"
        " WHERE photo_id = ? AND deleted_at = ''",
        (photo_id,),
    )
    return bytes(row["jpeg"]) if row else None
