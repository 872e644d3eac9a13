"""A patient's scans that may be compared, and the queue of those to be compared anew."""

import os
from collections.abc import Iterable

from daemon.drops import STUDY_MARK, DropKind
from daemon.history import Past, Point, is_stale, point_of
from daemon.index.database import Database, now
from daemon.index.identities import is_in_conflict
from daemon.index.scans import ScanRow, scans_of_patient
from daemon.names import UNASSIGNED


async def points_of(
    index: Database, patient_id: str, patient_folder: bytes, but: str
) -> tuple[Point, ...]:
    """All scans of a patient that have a date and a volume, newest revisions only, but that one.

    None of `unassigned`, nor while it is in doubt whose scans lie under the patient's folder.
    """
    if patient_id == UNASSIGNED or await is_in_conflict(index, patient_id):
        return ()
    rows = await scans_of_patient(index, patient_id)
    return _others(rows, patient_folder, but)


async def queue_stale(index: Database, patient_ids: Iterable[str]) -> None:
    """Queue what is compared with other scans than it should be; called inside a transaction."""
    for patient_id in patient_ids:
        if not await _has_dates(index, patient_id):
            continue
        is_nobody = patient_id == UNASSIGNED or await is_in_conflict(index, patient_id)
        rows = await scans_of_patient(index, patient_id)
        for row in rows:
            others = () if is_nobody else _others(rows, os.path.dirname(row.folder), row.scan_id)
            past = Past(others, row.report.get("date_entered"))
            if is_stale(row.report, past):
                await _queue(index, row.scan_id, patient_id)


async def queue_all_stale(index: Database, patient_ids: Iterable[str]) -> None:
    """The same, after results were entered without their drops."""
    async with index.transaction():
        await queue_stale(index, patient_ids)


async def queue_comparison(index: Database, scan_id: str, patient_id: str) -> None:
    """Queue one scan to be dated and compared anew."""
    async with index.transaction():
        await _queue(index, scan_id, patient_id)


async def _has_dates(index: Database, patient_id: str) -> bool:
    """Whether two of the patient's scans have, or had, a date: else nothing can be compared."""
    row = await index.row(
        "SELECT count(DISTINCT scan_id) AS n FROM scans WHERE patient_id = ?"
        " AND acquired_at IS NOT NULL",
        (patient_id,),
    )
    return row is not None and row["n"] > 1


def _others(rows: list[ScanRow], patient_folder: bytes, but: str) -> tuple[Point, ...]:
    points = [
        point_of(row.report, row.folder)
        for row in rows
        if row.scan_id != but and os.path.dirname(row.folder) == patient_folder
    ]
    return tuple(point for point in points if point is not None)


async def _queue(index: Database, scan_id: str, patient_id: str) -> None:
    """One that waits for it already is not queued twice."""
    await index.row(
        "INSERT INTO drops (unit, patient_id, kind, state, rested, seen_at, scan_id)"
        " VALUES (?, ?, ?, 'waiting', 1, ?, ?) ON CONFLICT DO NOTHING RETURNING drop_id",
        (2 * STUDY_MARK + scan_id.encode(), patient_id, DropKind.COMPARE, now(), scan_id),
    )
