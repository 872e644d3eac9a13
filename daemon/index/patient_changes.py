"""The history of patients' records: who changed which field when, from what to what."""

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.index.database import Database, now

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
