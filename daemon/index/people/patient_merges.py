"""Two records of one patient, as people say: in the records, mirrored in the index.

No file and no record is changed by it: the scans of the one are shown with the other, until it is
taken back. Both keep their histories.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from daemon.index.database import Database, now
from daemon.index.people.audit import changing, each_told


@dataclass(frozen=True)
class Merge:
    """One statement. patient_id: who is listed no more, and with whom the scans are shown instead.

    Times are UTC, ISO 8601; undone_*: '' while it stands.
    """

    merge: int
    patient_id: str
    into_id: str
    reason: str
    merged_by: str
    merged_at: str
    undone_by: str = ""
    undone_at: str = ""


_COLUMNS = "merge, patient_id, into_id, reason, merged_by, merged_at, undone_by, undone_at"
# Neither is in another merge that a second level would come of, and none was deleted meanwhile.
_ADD = f"""
    INSERT INTO patient_merges (patient_id, into_id, reason, merged_by, merged_at)
    SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM patient_merges
        WHERE undone_at = '' AND (patient_id IN (?1, ?2) OR into_id = ?1))
    AND NOT EXISTS (SELECT 1 FROM patients WHERE patient_id IN (?1, ?2) AND deleted_at != '')
    RETURNING {_COLUMNS}
"""


async def add_merge(
    records: Database, patient_id: str, into_id: str, reason: str, who: str
) -> Merge | None:
    """Note that both are one patient; None if one was deleted, or is in another such statement."""
    async with changing(records):
        row = await records.row(_ADD, (patient_id, into_id, reason, who, now()))
        if row is not None:
            each_told(await _keys(records, patient_id, into_id), "merged")
    return _merge(row) if row else None


async def undo_merge(records: Database, merge: int, who: str) -> Merge | None:
    """It was a mistake; None if it was taken back before."""
    async with changing(records):
        row = await records.row(
            "UPDATE patient_merges SET undone_by = ?, undone_at = ?"
            f" WHERE merge = ? AND undone_at = '' RETURNING {_COLUMNS}",
            (who, now(), merge),
        )
        if row is not None:
            each_told(await _keys(records, row["patient_id"], row["into_id"]), "merge undone")
    return _merge(row) if row else None


async def _keys(records: Database, *patient_ids: str) -> list[str]:
    rows = await records.rows(
        "SELECT patient_key FROM patients WHERE patient_id IN (?, ?)", patient_ids
    )
    return [str(row["patient_key"]) for row in rows]


async def merges_of(records: Database, patient_id: str) -> list[Merge]:
    """All in which a patient ever was, the latest first."""
    rows = await records.rows(
        f"SELECT {_COLUMNS} FROM patient_merges WHERE merge IN (SELECT merge FROM patient_merges"
        " WHERE patient_id = ?1 UNION SELECT merge FROM patient_merges WHERE into_id = ?1)"
        " ORDER BY merge DESC",
        (patient_id,),
    )
    return [_merge(row) for row in rows]


async def merged_into(records: Database, patient_ids: Iterable[str]) -> dict[str, str]:
    """With whom the scans of these are shown; without those who are shown themselves."""
    rows = await records.rows(
        "SELECT patient_id, into_id FROM patient_merges WHERE undone_at = ''"
        " AND patient_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(patient_ids)),),
    )
    return {row["patient_id"]: row["into_id"] for row in rows}


async def with_merged(index: Database, patient_ids: Iterable[str]) -> tuple[str, ...]:
    """These patients and those who are shown with them."""
    asked = list(patient_ids)
    rows = await index.rows(
        "SELECT patient_id FROM merged_patients"
        " WHERE into_id IN (SELECT value FROM json_each(?)) ORDER BY patient_id",
        (json.dumps(asked),),
    )
    return (*asked, *(str(row["patient_id"]) for row in rows))


async def mirror_merges(index: Database, records: Database) -> None:
    """Bring the index in line with the records: who is counted and listed with whom.

    The records are read inside the transaction, so that of two who do it at once the later one has
    read the newer.
    """
    async with index.transaction():
        said = {
            (row["patient_id"], row["into_id"])
            for row in await records.rows(
                "SELECT patient_id, into_id FROM patient_merges WHERE undone_at = ''"
            )
        }
        rows = await index.rows("SELECT patient_id, into_id FROM merged_patients")
        before = {(row["patient_id"], row["into_id"]) for row in rows}
        await index.change_many(
            "DELETE FROM merged_patients WHERE patient_id = ?",
            [(patient_id,) for patient_id, _ in before - said],
        )
        await index.change_many("INSERT INTO merged_patients VALUES (?, ?)", said - before)
        changed = [(each,) for pair in before ^ said for each in pair]
        await index.change_many("INSERT INTO patients_to_count VALUES (?)", changed)
        await index.change_many(
            "UPDATE worklist SET trouble = trouble WHERE patient_id = ?", changed
        )


def _merge(row: sqlite3.Row) -> Merge:
    return Merge(**dict(row))
