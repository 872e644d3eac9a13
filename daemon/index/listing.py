"""All published scans, newest revisions only; none of deleted patients."""

from collections.abc import AsyncIterator

from daemon.index.database import Database
from daemon.index.scans import ScanRow, find_scan


async def every_scan(index: Database) -> AsyncIterator[ScanRow]:
    """Every scan by patient and date; what is published meanwhile may be left out."""
    rows = await index.rows(
        "SELECT DISTINCT scan_id, patient_id, acquired_at FROM shown_scans s WHERE revision ="
        " (SELECT max(revision) FROM scans o WHERE o.scan_id = s.scan_id)"
        " ORDER BY patient_id, acquired_at, scan_id"
    )
    for row in rows:
        scan = await find_scan(index, row["scan_id"])
        if scan is not None:
            yield scan
