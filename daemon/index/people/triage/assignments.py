"""Scans of `unassigned` that people gave to patients: in the records, mirrored in the index."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from daemon.drops import UNASSIGNED
from daemon.index.database import Database, now
from daemon.index.patient_scans import queue_stale
from daemon.index.people.audit import changing
from daemon.index.scans import ScanRow, scan_of_row
from daemon.outputs.catalogue import text

MOST_COUNTED = 1000  # unassigned scans: whoever has more does not need to know how many


@dataclass(frozen=True)
class Assignment:
    """One scan, given once. Times are UTC, ISO 8601, or '' for what has not happened.

    target: scan_id of the same content under the patient; was_there: the patient had that scan
    already, so it stays when the assignment is taken back.
    """

    assignment: int
    scan_id: str
    patient_id: str
    target: str
    was_there: bool
    given_by: str
    given_at: str
    placed_at: str = ""
    taken_back_by: str = ""
    taken_back_at: str = ""


_COLUMNS = (
    "assignment, scan_id, patient_id, target, was_there, given_by, given_at, placed_at,"
    " taken_back_by, taken_back_at"
)


async def add_assignment(
    records: Database, scan_id: str, patient_id: str, target: str, was_there: bool, who: str
) -> Assignment | None:
    """Note that a person gave a scan to a patient.

    None if it is given to somebody already, or the patient was deleted meanwhile.
    """
    async with changing(records):
        row = await records.row(
            "INSERT INTO assignments (scan_id, patient_id, target, was_there, given_by, given_at)"
            " SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS"
            " (SELECT 1 FROM patients WHERE patient_id = ?2 AND deleted_at != '')"
            f" ON CONFLICT DO NOTHING RETURNING {_COLUMNS}",
            (scan_id, patient_id, target, was_there, who, now()),
        )
    return _assignment(row) if row else None


async def mark_placed(records: Database, assignment: int) -> None:
    """The files lie in the inbox, or the patient has the scan."""
    async with records.transaction():
        await records.change(
            "UPDATE assignments SET placed_at = ? WHERE assignment = ?", (now(), assignment)
        )


async def mark_taken_back(records: Database, assignment: int, who: str) -> Assignment | None:
    """It was a mistake; the assignment as it stands then, or None if it was taken back before."""
    async with changing(records):
        row = await records.row(
            "UPDATE assignments SET taken_back_at = ?, taken_back_by = ?"
            f" WHERE assignment = ? AND taken_back_at = '' RETURNING {_COLUMNS}",
            (now(), who, assignment),
        )
    return _assignment(row) if row else None


async def mark_there(records: Database, target: str) -> None:
    """Files of this scan came by a drop: the patient has it whatever people gave or took back."""
    async with records.transaction():
        await records.change("UPDATE assignments SET was_there = 1 WHERE target = ?", (target,))


async def assignments(records: Database) -> list[Assignment]:
    """All that was ever given, the latest first."""
    rows = await records.rows(f"SELECT {_COLUMNS} FROM assignments ORDER BY assignment DESC")
    return [_assignment(row) for row in rows]


async def assignment_of(records: Database, scan_id: str) -> Assignment | None:
    """To whom a scan of `unassigned` is given now, or None."""
    row = await records.row(
        f"SELECT {_COLUMNS} FROM assignments WHERE scan_id = ? AND taken_back_at = ''", (scan_id,)
    )
    return _assignment(row) if row else None


async def mirror(index: Database, records: Database, scan_ids: Iterable[str] = ()) -> None:
    """Bring the index in line with what the records say of these scans, or of all.

    The records are read inside the transaction, so that of two who do it at once the later one
    has read the newer. What was compared with a scan that is hidden or shown now is queued.
    """
    wanted = set(scan_ids)
    async with index.transaction():
        before = await _hidden(index)
        for each in reversed(await assignments(records)):
            if wanted and each.scan_id not in wanted:
                continue
            is_given = not each.taken_back_at
            is_hidden = not is_given and not each.was_there
            await index.row(
                "INSERT OR REPLACE INTO given_scans VALUES (?, ?, ?, ?, ?) RETURNING scan_id",
                (each.scan_id, each.patient_id, each.target, is_given, is_hidden),
            )
        hidden = await _hidden(index)
        await _forget_identities(index, {patient_id for _, patient_id in hidden - before})
        await queue_stale(index, {patient_id for _, patient_id in before ^ hidden})


async def is_taken_back(index: Database, scan_id: str) -> bool:
    """Whether this scan of a patient is there by a mistake that was taken back."""
    row = await index.row("SELECT 1 FROM given_scans WHERE target = ? AND is_hidden", (scan_id,))
    return row is not None


async def unassigned_scans(index: Database, limit: int = 100) -> list[ScanRow]:
    """Scans that belong to nobody yet, newest revisions only, the latest published first."""
    rows = await index.rows(
        "SELECT s.* FROM scans s WHERE s.patient_id = ? AND s.revision ="
        " (SELECT max(revision) FROM scans WHERE scan_id = s.scan_id) AND NOT EXISTS"
        " (SELECT 1 FROM given_scans g WHERE g.scan_id = s.scan_id AND g.is_given)"
        " ORDER BY s.published_at DESC, s.scan_id LIMIT ?",
        (UNASSIGNED, limit),
    )
    return [scan_of_row(row) for row in rows]


async def count_unassigned(index: Database) -> int:
    """How many scans belong to nobody yet, counted up to MOST_COUNTED."""
    row = await index.row(
        "SELECT count(*) AS n FROM (SELECT DISTINCT scan_id FROM scans s WHERE patient_id = ?"
        " AND NOT EXISTS (SELECT 1 FROM given_scans g WHERE g.scan_id = s.scan_id AND g.is_given)"
        " LIMIT ?)",
        (UNASSIGNED, MOST_COUNTED),
    )
    return int(row["n"]) if row else 0


def counted_words(count: int) -> str:
    """The number as it may be told."""
    return str(count) if count < MOST_COUNTED else text("unassigned.or_more", count=MOST_COUNTED)


async def _forget_identities(index: Database, patient_ids: Iterable[str]) -> None:
    """PatientIDs that came under these by mistake must not cause an identity conflict."""
    await index.change_many(
        "DELETE FROM identities WHERE patient_id = ?1 AND dicom_id IN"
        " (SELECT dicom_id FROM identities WHERE patient_id = ?2)",
        [(patient_id, UNASSIGNED) for patient_id in patient_ids],
    )


async def _hidden(index: Database) -> set[tuple[str, str]]:
    rows = await index.rows("SELECT target, patient_id FROM given_scans WHERE is_hidden")
    return {(row["target"], row["patient_id"]) for row in rows}


def _assignment(row: sqlite3.Row) -> Assignment:
    return Assignment(**{**dict(row), "was_there": bool(row["was_there"])})
