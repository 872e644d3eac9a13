"""Patients as people entered them, in the records: fields, their history, photos."""

import secrets
import sqlite3
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from daemon.index.database import Database, now
from daemon.index.people.audit import changing

SCANNER = ""  # stands where no person entered it, but DICOM tags told it
_NOT_DELETED = (
    "NOT EXISTS (SELECT 1 FROM deleted_patients d WHERE d.patient_key ="
    " patient_changes.patient_key AND patient_changes.at <= d.deleted_at)"
)


@dataclass(frozen=True)
class PatientChange:
    """One field of one record, once. version: of the record after it; at: UTC, ISO 8601."""

    version: int
    at: str
    entered_by: str
    field: str
    before: str
    after: str


async def note_changes(
    records: Database,
    patient_key: str,
    version: int,
    who: str,
    changed: Mapping[str, tuple[str, str]],
) -> None:
    """Note what became of fields (before, after); called inside the transaction that does it."""
    moment = now()
    await records.change_many(
        "INSERT INTO patient_changes"
        " (patient_key, version, at, entered_by, field, before, after)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (patient_key, version, moment, who, field, before, after)
            for field, (before, after) in changed.items()
        ],
    )


async def changes_of(
    records: Database, patient_key: str, after_version: int = 0
) -> list[PatientChange]:
    """What changed in a record after this version of it, oldest first; not what was deleted."""
    rows = await records.rows(
        "SELECT version, at, entered_by, field, before, after FROM patient_changes"
        f" WHERE patient_key = ? AND version > ? AND {_NOT_DELETED} ORDER BY change",
        (patient_key, after_version),
    )
    return [PatientChange(*row) for row in rows]


async def fields_by_people(records: Database, patient_key: str) -> set[str]:
    """The fields that a person has ever entered, changed or emptied."""
    rows = await records.rows(
        "SELECT DISTINCT field FROM patient_changes"
        f" WHERE patient_key = ? AND entered_by != ? AND {_NOT_DELETED}",
        (patient_key, SCANNER),
    )
    return {str(row["field"]) for row in rows}


def from_scanner(changes: list[PatientChange]) -> set[str]:
    """The fields whose value now is the one that DICOM tags told. changes: all, oldest first."""
    newest = {change.field: change for change in changes}
    return {
        name for name, change in newest.items() if change.entered_by == SCANNER and change.after
    }


@dataclass(frozen=True)
class Patient:
    """One patient's record. patient_key is random and stands in URLs; dates are ISO 8601 or ''.

    patient_id is the name of the patient's folder in inbox and outbox, and never changes.
    version grows with every change; what was entered about a deleted one lies elsewhere.
    """

    patient_key: str
    patient_id: str
    name: str = ""
    birth_date: str = ""
    gender: str = ""
    phone: str = ""
    address: str = ""
    emergency_contact: str = ""
    insurance: str = ""
    doctor: str = ""
    family_history: str = ""
    symptoms: str = ""
    previous_conditions: str = ""
    medications: str = ""
    biopsy: str = ""
    histology: str = ""
    diagnosis_date: str = ""
    treatment_type: str = ""
    treatment_start: str = ""
    treatment_response: str = ""
    created_at: str = ""
    updated_at: str = ""
    photo_id: str = ""
    version: int = 1
    deleted_at: str = ""


COLUMNS = tuple(field.name for field in fields(Patient))
_NOT_ENTERED = (
    *("patient_key", "patient_id", "created_at", "updated_at"),
    *("photo_id", "version", "deleted_at"),
)
ENTERED = tuple(name for name in COLUMNS if name not in _NOT_ENTERED)


async def ensure_patients(records: Database, patient_ids: Iterable[str]) -> None:
    """A patient also appears by a drop alone: enter those of the ids that are not there yet."""
    moment = now()
    async with records.transaction():
        await records.change_many(
            "INSERT OR IGNORE INTO patients (patient_key, patient_id, created_at, updated_at)"
            " VALUES (?, ?, ?, ?)",
            [(_new_key(), patient_id, moment, moment) for patient_id in patient_ids],
        )


async def fill_patient(records: Database, patient_id: str, told: Mapping[str, str]) -> None:
    """What DICOM files tell of a patient, in empty fields that no person has ever touched."""
    async with records.transaction():
        row = await records.row("SELECT * FROM patients WHERE patient_id = ?", (patient_id,))
        if row is None:
            return
        patient = patient_of_row(row)
        taken = await fields_by_people(records, patient.patient_key)
        values = {name: _printable(value) for name, value in told.items() if name not in taken}
        fills = {name: value for name, value in values.items() if value and not row[name]}
        await write_fields(records, patient, fills, SCANNER)


NOT_TOLD = "not told"  # who it was, in the records


async def add_patient(
    records: Database, patient_id: str, entered: Mapping[str, str], who: str = NOT_TOLD
) -> Patient | None:
    """Enter a new patient; None if there is one of this id already.

    One who was deleted, and whose record is erased, may be entered anew.
    """
    moment = now()
    new = Patient(_new_key(), patient_id, created_at=moment, updated_at=moment, version=0)
    async with changing(records):
        erased = await records.row(
            "SELECT * FROM patients WHERE patient_id = ? AND deleted_at != '' AND patient_key"
            " NOT IN (SELECT patient_key FROM deleted_patients)",
            (patient_id,),
        )
        if erased is not None:
            new = patient_of_row(erased)
            await show_again(records, new.patient_key)
        elif not await _insert(records, new):
            return None
        filled = {name: entered.get(name, "") for name in ENTERED}
        await write_fields(records, new, filled, who)
        return await find_patient(records, new.patient_key)


async def change_patient(
    records: Database, patient_key: str, version: int, entered: Mapping[str, str], who: str
) -> bool:
    """Replace what people entered, if nobody has changed the record since this version of it."""
    async with changing(records):
        patient = await find_patient(records, patient_key)
        if patient is None or patient.deleted_at or patient.version != version:
            return False
        filled = {name: entered.get(name, "") for name in ENTERED}
        await write_fields(records, patient, filled, who)
    return True


async def write_fields(
    records: Database, patient: Patient, values: Mapping[str, str], who: str
) -> None:
    """Set those of the fields that differ, and note who did it; inside a transaction."""
    changed = {
        name: (getattr(patient, name), value)
        for name, value in values.items()
        if getattr(patient, name) != value
    }
    version = patient.version + 1
    if not changed and patient.version > 0:
        return
    assignments = "".join(f"{name} = ?, " for name in changed)
    await records.change(
        f"UPDATE patients SET {assignments}version = ?, updated_at = ? WHERE patient_key = ?",
        [*(after for _, after in changed.values()), version, now(), patient.patient_key],
    )
    await note_changes(records, patient.patient_key, version, who, changed)


async def show_again(records: Database, patient_key: str) -> None:
    """A deleted patient is listed again, as a plain entry; inside a transaction."""
    await records.change("UPDATE patients SET deleted_at = '' WHERE patient_key = ?", [patient_key])


async def find_patient(records: Database, patient_key: str) -> Patient | None:
    """The patient with this key, deleted or not, or None."""
    row = await records.row("SELECT * FROM patients WHERE patient_key = ?", (patient_key,))
    return patient_of_row(row) if row else None


async def patients_by_id(records: Database, ids: Iterable[str]) -> dict[str, Patient]:
    """The patients with these ids, by id; ids without a record are left out."""
    wanted = sorted(set(ids))
    marks = ", ".join("?" * len(wanted))
    rows = await records.rows(f"SELECT * FROM patients WHERE patient_id IN ({marks})", wanted)
    return {row["patient_id"]: patient_of_row(row) for row in rows}


async def list_patients(
    records: Database, after: tuple[str, str] = ("", ""), limit: int = 50
) -> list[Patient]:
    """A page of patients by name, then id: those that come after the pair (name, patient_id)."""
    rows = await records.rows(
        "SELECT * FROM patients WHERE (name, patient_id) > (?, ?) AND deleted_at = ''"
        " ORDER BY name, patient_id LIMIT ?",
        (*after, limit),
    )
    return [patient_of_row(row) for row in rows]


async def _insert(records: Database, patient: Patient) -> bool:
    row = await records.row(
        "INSERT OR IGNORE INTO patients (patient_key, patient_id, created_at, updated_at, version)"
        " VALUES (?, ?, ?, ?, 0) RETURNING patient_key",
        (patient.patient_key, patient.patient_id, patient.created_at, patient.updated_at),
    )
    return row is not None


def _new_key() -> str:
    return secrets.token_urlsafe(12)


def _printable(value: str) -> str:
    """Without control characters, which a header may hold and no name does."""
    return "".join(" " if unicodedata.category(c) == "Cc" else c for c in value).strip()


def patient_of_row(row: sqlite3.Row) -> Patient:
    """A row of patients with all its columns."""
    return Patient(**{name: row[name] for name in COLUMNS})


async def set_photo(records: Database, patient: Patient, jpeg: bytes | None, who: str) -> bool:
    """Give a patient another photo, or none; the one before is forgotten. False if deleted."""
    photo_id = secrets.token_urlsafe(12) if jpeg else ""
    async with changing(records):
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
