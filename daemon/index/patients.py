"""Patients as people entered them, in the records; a rebuild of the index never touches them."""

import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from daemon.index.database import Database, now


@dataclass(frozen=True)
class Patient:
    """One patient's record. patient_key is random and stands in URLs; dates are ISO 8601 or ''.

    patient_id is the name of the patient's folder in inbox and outbox, and never changes.
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


COLUMNS = tuple(field.name for field in fields(Patient))
ENTERED = tuple(
    name
    for name in COLUMNS
    if name not in ("patient_key", "patient_id", "created_at", "updated_at")
)


async def ensure_patients(records: Database, patient_ids: Iterable[str]) -> None:
    """A patient also appears by a drop alone: enter those of the ids that are not there yet."""
    moment = now()
    async with records.transaction():
        await records.change_many(
            "INSERT OR IGNORE INTO patients (patient_key, patient_id, created_at, updated_at)"
            " VALUES (?, ?, ?, ?)",
            [(_new_key(), patient_id, moment, moment) for patient_id in patient_ids],
        )


async def fill_patient(records: Database, patient_id: str, told: dict[str, str]) -> None:
    """What DICOM files tell of a patient, where nobody has entered anything yet."""
    fills = ", ".join(f"{name} = iif({name} = '', ?, {name})" for name in told)
    async with records.transaction():
        await records.change(
            f"UPDATE patients SET {fills} WHERE patient_id = ?", [*told.values(), patient_id]
        )


async def add_patient(
    records: Database, patient_id: str, entered: dict[str, str]
) -> Patient | None:
    """Enter a new patient; None if there is one of this id already."""
    moment = now()
    patient = Patient(_new_key(), patient_id, created_at=moment, updated_at=moment)
    patient = replace(patient, **{name: entered.get(name, "") for name in ENTERED})
    marks = ", ".join("?" * len(COLUMNS))
    async with records.transaction():
        row = await records.row(
            f"INSERT OR IGNORE INTO patients ({', '.join(COLUMNS)}) VALUES ({marks})"
            " RETURNING patient_key",
            [getattr(patient, name) for name in COLUMNS],
        )
    return patient if row else None


async def change_patient(records: Database, patient_key: str, entered: dict[str, str]) -> bool:
    """Replace what people entered about a patient; False if there is no such patient."""
    assignments = ", ".join(f"{name} = ?" for name in ENTERED)
    async with records.transaction():
        changed = await records.change(
            f"UPDATE patients SET {assignments}, updated_at = ? WHERE patient_key = ?",
            [*(entered.get(name, "") for name in ENTERED), now(), patient_key],
        )
    return changed > 0


async def find_patient(records: Database, patient_key: str) -> Patient | None:
    """The patient with this key, or None."""
    row = await records.row("SELECT * FROM patients WHERE patient_key = ?", (patient_key,))
    return _patient(row) if row else None


async def patients_by_id(records: Database, ids: Iterable[str]) -> dict[str, Patient]:
    """The patients with these ids, by id; ids without a record are left out."""
    wanted = sorted(set(ids))
    marks = ", ".join("?" * len(wanted))
    rows = await records.rows(f"SELECT * FROM patients WHERE patient_id IN ({marks})", wanted)
    return {row["patient_id"]: _patient(row) for row in rows}


async def list_patients(
    records: Database, after: tuple[str, str] = ("", ""), limit: int = 50
) -> list[Patient]:
    """A page of patients by name, then id: those that come after the pair (name, patient_id)."""
    rows = await records.rows(
        "SELECT * FROM patients WHERE (name, patient_id) > (?, ?)"
        " ORDER BY name, patient_id LIMIT ?",
        (*after, limit),
    )
    return [_patient(row) for row in rows]


def _new_key() -> str:
    return secrets.token_urlsafe(12)


def _patient(row: sqlite3.Row) -> Patient:
    return Patient(**{name: row[name] for name in COLUMNS})
