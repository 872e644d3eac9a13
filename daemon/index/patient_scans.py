"""What the index knows of patients: their PatientIDs, who is hidden, which scans are compared."""

import json
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator

from daemon.drops import STUDY_MARK, UNASSIGNED, DropKind
from daemon.index.database import Database, now
from daemon.index.people.patient_merges import with_merged
from daemon.index.scans import ScanRow, scans_of_patient, scans_of_patients
from daemon.scan_history import Past, Point, is_stale, point_of

AT_ONCE = 250  # patients of one question


async def add_identities(index: Database, patient_id: str, dicom_ids: Iterable[str]) -> None:
    """Note PatientIDs of a published scan; called inside the transaction that ends its drop."""
    await index.change_many(
        "INSERT OR IGNORE INTO identities (dicom_id, patient_id) VALUES (?, ?)",
        [(dicom_id, patient_id) for dicom_id in dicom_ids],
    )


async def replace_identity(index: Database, patient_id: str, before: str) -> None:
    """A PatientID was corrected: the one before is no longer the patient's, if no other scan is.

    Called inside the transaction that ends the drop.
    """
    if await _has_one_scan(index, patient_id):
        await index.change(
            "DELETE FROM identities WHERE dicom_id = ? AND patient_id = ?", (before, patient_id)
        )


async def _has_one_scan(index: Database, patient_id: str) -> bool:
    row = await index.row(
        "SELECT count(DISTINCT scan_id) AS n FROM scans WHERE patient_id = ?", (patient_id,)
    )
    return row is not None and row["n"] < 2


async def patients_named(index: Database, dicom_ids: Iterable[str]) -> set[str]:
    """The patients under whose folders any of these PatientIDs came."""
    found: set[str] = set()
    for dicom_id in dicom_ids:
        rows = await index.rows("SELECT patient_id FROM identities WHERE dicom_id = ?", (dicom_id,))
        found |= {str(row["patient_id"]) for row in rows}
    return found


async def is_in_conflict(
    index: Database, patient_id: str, dicom_ids: Iterable[str] = (), corrected_id: str = ""
) -> bool:
    """Two PatientIDs under this folder, or one of its PatientIDs under another folder as well.

    dicom_ids: those of a scan that is about to be filed under it; corrected_id: the one that the
    same scan bore before. `unassigned` is nobody's folder.
    """
    if patient_id == UNASSIGNED:
        return False
    rows = await index.rows("SELECT dicom_id FROM identities WHERE patient_id = ?", (patient_id,))
    under_it = {str(row["dicom_id"]) for row in rows} | set(dicom_ids)
    if corrected_id and await _has_one_scan(index, patient_id):
        under_it.discard(corrected_id)
    if len(under_it) > 1:
        return True
    for dicom_id in under_it:
        elsewhere = await index.row(
            "SELECT 1 FROM identities WHERE dicom_id = ? AND patient_id NOT IN (?, ?)",
            (dicom_id, patient_id, UNASSIGNED),
        )
        if elsewhere:
            return True
    return False


async def set_hidden(index: Database, ask: Callable[[], Awaitable[set[str]]]) -> None:
    """Hide just the patients whom `ask` gives; those who are shown again are compared anew.

    It is asked inside the transaction: of two who do it at once the later one has the newer answer.
    """
    async with index.transaction():
        patient_ids = await ask()
        rows = await index.rows("SELECT patient_id FROM hidden_patients")
        before = {str(row["patient_id"]) for row in rows}
        await index.change_many(
            "DELETE FROM hidden_patients WHERE patient_id = ?",
            [(patient_id,) for patient_id in before - patient_ids],
        )
        await index.change_many(
            "INSERT INTO hidden_patients VALUES (?)",
            [(patient_id,) for patient_id in patient_ids - before],
        )
        await queue_stale(index, before - patient_ids)


async def points_of(
    index: Database, patient_id: str, patient_folder: bytes, but: str
) -> tuple[Point, ...]:
    """All scans of a patient that have a date and a volume, newest revisions only, but that one.

    None of `unassigned`, nor while it is in an identity conflict whose scans lie under the
    patient's folder.
    """
    if patient_id == UNASSIGNED or await is_in_conflict(index, patient_id):
        return ()
    rows = await scans_of_patient(index, patient_id)
    return _others(rows, patient_folder, but)


async def scans_together(index: Database, patient_id: str) -> list[ScanRow]:
    """A patient's scans with those of patients who were merged into this one, as they are listed.

    Newest revisions only, latest acquisition first; undated ones last.
    """
    found = await scans_of_patients(index, await with_merged(index, [patient_id]))
    rows = [row for own in found.values() for row in own]
    rows.sort(key=lambda row: row.published_at, reverse=True)
    return sorted(rows, key=lambda row: row.acquired_at or "", reverse=True)


async def queue_stale(index: Database, patient_ids: Iterable[str]) -> None:
    """Queue what is compared with other scans than it should be; called inside a transaction."""
    asked = list(patient_ids)
    for first in range(0, len(asked), AT_ONCE):
        dated = await _with_dates(index, asked[first : first + AT_ONCE])
        nobodys = {UNASSIGNED} | await _in_conflict(index, dated)
        found = await scans_of_patients(index, dated)
        await _queue(
            index,
            [
                (scan_id, patient_id)
                for patient_id, rows in found.items()
                for scan_id in _stale_among(rows, patient_id in nobodys)
            ],
        )


def _stale_among(rows: list[ScanRow], is_nobody: bool) -> Iterator[str]:
    doubted = _doubted_among(rows)
    for row in rows:
        others = () if is_nobody else _others(rows, os.path.dirname(row.folder), row.scan_id)
        past = Past(others, row.report.date_entered, may_lack=row.scan_id in doubted)
        if is_stale(row.report, past):
            yield row.scan_id


async def is_in_doubt(index: Database, patient_id: str, scan_id: str) -> bool:
    """Whether another scan of the patient may belong to this one."""
    return scan_id in _doubted_among(await scans_of_patient(index, patient_id))


def _doubted_among(rows: list[ScanRow]) -> set[str]:
    """The scans to which others of these may belong."""
    return {scan_id for row in rows for scan_id in row.report.input.may_belong_to or ()}


async def queue_all_stale(index: Database, patient_ids: Iterable[str]) -> None:
    """The same, after results were entered without their drops."""
    async with index.transaction():
        await queue_stale(index, patient_ids)


async def queue_comparison(index: Database, scan_id: str, patient_id: str) -> None:
    """Queue one scan to be dated and compared anew."""
    async with index.transaction():
        await _queue(index, [(scan_id, patient_id)])


async def queue_doubted(index: Database, patient_id: str, scan_ids: Iterable[str]) -> None:
    """Queue the scans that slices may be of, so that they tell it; inside a transaction."""
    await _queue(index, [(scan_id, patient_id) for scan_id in scan_ids])


async def _with_dates(index: Database, patient_ids: list[str]) -> list[str]:
    """Those who have, or had, two scans with a date: else nothing can be compared."""
    rows = await index.rows(
        "SELECT patient_id FROM json_each(?) asked CROSS JOIN scans ON patient_id = asked.value"
        " WHERE acquired_at IS NOT NULL GROUP BY patient_id HAVING count(DISTINCT scan_id) > 1",
        (json.dumps(patient_ids),),
    )
    return [str(row["patient_id"]) for row in rows]


async def _in_conflict(index: Database, patient_ids: list[str]) -> set[str]:
    """Those of them for whom `is_in_conflict` holds."""
    rows = await index.rows(
        "SELECT asked.value FROM json_each(?) asked"
        " WHERE (SELECT count(*) FROM identities WHERE patient_id = asked.value) > 1"
        " OR EXISTS (SELECT 1 FROM identities own JOIN identities other USING (dicom_id)"
        " WHERE own.patient_id = asked.value AND other.patient_id NOT IN (asked.value, ?))",
        (json.dumps(patient_ids), UNASSIGNED),
    )
    return {str(row["value"]) for row in rows}


def _others(rows: list[ScanRow], patient_folder: bytes, but: str) -> tuple[Point, ...]:
    points = [
        point_of(row.report, row.folder)
        for row in rows
        if row.scan_id != but and os.path.dirname(row.folder) == patient_folder
    ]
    return tuple(point for point in points if point is not None)


async def _queue(index: Database, scans: list[tuple[str, str]]) -> None:
    """Scans of patients, by their ids. One that waits for it already is not queued twice."""
    at = now()
    await index.change_many(
        "INSERT INTO drops (unit, patient_id, kind, state, rested, seen_at, scan_id)"
        " VALUES (?, ?, ?, 'waiting', 1, ?, ?) ON CONFLICT DO NOTHING",
        [
            (2 * STUDY_MARK + scan_id.encode(), patient_id, DropKind.COMPARE, at, scan_id)
            for scan_id, patient_id in scans
        ],
    )
