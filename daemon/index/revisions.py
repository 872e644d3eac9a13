"""All revisions of a published scan; most readers want the newest one alone (`scans.py`)."""

from daemon.index.database import Database
from daemon.index.scans import ScanRow, scan_of_row


async def revisions_of(index: Database, scan_id: str) -> list[ScanRow]:
    """Every revision of a scan, newest first; none if there is no such scan."""
    rows = await index.rows(
        "SELECT * FROM scans WHERE scan_id = ? ORDER BY revision DESC", (scan_id,)
    )
    return [scan_of_row(row) for row in rows]
