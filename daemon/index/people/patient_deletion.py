"""Deleting a patient's record: hidden at once, kept aside for 30 days, then erased for good."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from daemon.index.database import Database, now
from daemon.index.people.audit import changing
from daemon.index.people.patients import (
    ENTERED,
    SCANNER,
    Patient,
    find_patient,
    note_changes,
    patient_of_row,
    show_again,
    write_fields,
)

UNDO_DAYS = 30
KEPT = (*ENTERED, "photo_id")
DELETED, LISTED = "deleted", "listed"  # values of the field `entry` in the history


@dataclass(frozen=True)
class Deletion:
    """One deletion that can still be undone. Times are UTC, ISO 8601."""

    deletion: int
    patient_key: str
    patient_id: str
    record: dict[str, str]
    deleted_by: str
    deleted_at: str
    erase_at: str


async def delete_patient(records: Database, patient: Patient, who: str) -> None:
    """Take what was entered out of the record and keep it aside; the patient is hidden."""
    blanks = "".join(f"{name} = '', " for name in KEPT)
    async with changing(records):
        current = await find_patient(records, patient.patient_key)
        if current is None or current.deleted_at:
            return
        kept = {name: getattr(current, name) for name in KEPT}
        await _note(records, current, who, LISTED, DELETED)
        moment = datetime.now(UTC)
        at = moment.isoformat(timespec="milliseconds")
        until = (moment + timedelta(days=UNDO_DAYS)).isoformat(timespec="milliseconds")
        await records.change(
            "INSERT INTO deleted_patients"
            " (patient_key, patient_id, record, deleted_by, deleted_at, erase_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (current.patient_key, current.patient_id, json.dumps(kept), who, at, until),
        )
        await records.change(
            f"UPDATE patients SET {blanks} deleted_at = ?, version = version + 1"
            " WHERE patient_key = ?",
            (at, current.patient_key),
        )


async def undo_deletion(records: Database, patient_key: str, who: str) -> bool:
    """Bring back what had been entered, newest first, where nothing stands now; False if gone."""
    async with changing(records):
        kept = await _deletions(
            records, "WHERE patient_key = ? ORDER BY deletion DESC", patient_key
        )
        for deletion in kept:
            patient = await find_patient(records, patient_key)
            assert patient is not None, "the row of a patient stays"
            record = {k: v for k, v in deletion.record.items() if v and not getattr(patient, k)}
            await write_fields(records, patient, record, who)
            if "photo_id" not in record:
                await _forget_photo(records, deletion)
        if kept:
            patient = await find_patient(records, patient_key)
            assert patient is not None, "the row of a patient stays"
            await _note(records, patient, who, DELETED, LISTED)
            await show_again(records, patient_key)
            await records.change(
                "DELETE FROM deleted_patients WHERE patient_key = ?", [patient_key]
            )
    return bool(kept)


async def list_again(records: Database, patient_ids: Iterable[str]) -> set[str]:
    """A scan came for these: those of them who were deleted are listed again, as plain entries."""
    wanted = json.dumps(sorted(set(patient_ids)))
    ask = (
        "SELECT * FROM patients WHERE deleted_at != ''"
        " AND patient_id IN (SELECT value FROM json_each(?))"
    )
    if not await records.rows(ask, (wanted,)):
        return set()
    async with records.transaction():
        found = [patient_of_row(row) for row in await records.rows(ask, (wanted,))]
        for patient in found:
            await _note(records, patient, SCANNER, DELETED, LISTED)
            await show_again(records, patient.patient_key)
    return {patient.patient_id for patient in found}


async def erase_due(records: Database) -> int:
    """Erase for good what has been kept aside for long enough; how many deletions it were."""
    moment = now()
    async with records.transaction():
        due = await _deletions(records, "WHERE erase_at <= ?", moment)
        for deletion in due:
            await records.change(
                "DELETE FROM patient_changes WHERE patient_key = ? AND at <= ?",
                (deletion.patient_key, deletion.deleted_at),
            )
            await _forget_photo(records, deletion)
            await records.change(
                "DELETE FROM deleted_patients WHERE deletion = ?", (deletion.deletion,)
            )
    return len(due)


async def deletions(records: Database, limit: int = 500) -> list[Deletion]:
    """What can be undone, the latest deletion first."""
    return await _deletions(records, "ORDER BY deletion DESC LIMIT ?", limit)


async def deletion_of(records: Database, patient_key: str) -> Deletion | None:
    """The latest deletion of a patient that can be undone, or None."""
    found = await _deletions(
        records, "WHERE patient_key = ? ORDER BY deletion DESC LIMIT 1", patient_key
    )
    return found[0] if found else None


async def deleted_ids(records: Database) -> set[str]:
    """The patients who are hidden."""
    rows = await records.rows("SELECT patient_id FROM patients WHERE deleted_at != ''")
    return {str(row["patient_id"]) for row in rows}


async def _deletions(records: Database, which: str, value: str | int) -> list[Deletion]:
    rows = await records.rows(
        "SELECT deletion, patient_key, patient_id, record, deleted_by, deleted_at, erase_at"
        f" FROM deleted_patients {which}",
        (value,),
    )
    return [Deletion(**{**dict(row), "record": json.loads(row["record"])}) for row in rows]


async def _forget_photo(records: Database, deletion: Deletion) -> None:
    await records.change("DELETE FROM photos WHERE photo_id = ?", [deletion.record["photo_id"]])


async def _note(records: Database, patient: Patient, who: str, before: str, after: str) -> None:
    told = {"entry": (before, after)}
    await note_changes(records, patient.patient_key, patient.version + 1, who, told)
