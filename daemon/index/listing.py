"""Lists of published scans: the newest revisions of all, or all revisions of one."""

from collections.abc import AsyncIterator

from daemon.index.database import Database
from daemon.index.scans import ScanRow, find_scan, scan_of_row


async def every_scan(index: Database) -> AsyncIterator[ScanRow]:
    """Every scan by patient and date; what is published meanwhile may be left out."""
    rows = await index.rows(
        "SELECT DISTINCT scan_id, patient_id, acquired_at FROM scans s WHERE revision ="
        " (SELECT max(revision) FROM scans o WHERE o.scan_id = s.scan_id)"
        " ORDER BY patient_id, acquired_at, scan_id"
    )
    for row in rows:
        scan = await find_scan(index, row["scan_id"])
        if scan is not None:
            yield scan


async def revisions_of(index: Database, scan_id: str) -> list[ScanRow]:
    """All revisions of a scan, the newest first."""
    rows = await index.rows(
        "SELECT * FROM scans WHERE scan_id = ? ORDER BY revision DESC", (scan_id,)
    )
    return [scan_of_row(row) for row in rows]
