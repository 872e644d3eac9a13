"""Published scans by their age, for retention; and the note that the files of one are gone."""

from daemon.index.database import Database
from daemon.index.scans import ScanRow, scan_of_row


async def oldest_scans(index: Database, after: tuple[str, str], limit: int) -> list[ScanRow]:
    """The newest revisions of scans whose files are there, oldest first, after this one.

    after: published_at and scan_id. Left out are those of a patient of whom something waits or
    runs: it may be a late part of the scan.
    """
    rows = await index.rows(
        "SELECT * FROM scans s WHERE removed_at IS NULL AND (published_at, scan_id) > (?, ?)"
        " AND revision = (SELECT max(revision) FROM scans o WHERE o.scan_id = s.scan_id)"
        " AND NOT EXISTS (SELECT 1 FROM drops d WHERE d.patient_id = s.patient_id"
        " AND d.state IN ('waiting', 'running')) ORDER BY published_at, scan_id LIMIT ?",
        (*after, limit),
    )
    return [scan_of_row(row) for row in rows]


async def folders_of(index: Database, scan_id: str) -> list[bytes]:
    """The folders of a scan's revisions, below the outbox, as bytes; the first one first."""
    rows = await index.rows(
        "SELECT folder FROM scans WHERE scan_id = ? ORDER BY revision", (scan_id,)
    )
    return [row["folder"] for row in rows]


async def mark_removed(index: Database, folder: bytes, moment: str) -> None:
    """The files of a revision are no longer in the outbox; what was found stays known."""
    async with index.transaction():
        await index.change(
            "UPDATE scans SET removed_at = ? WHERE folder = ? AND removed_at IS NULL",
            (moment, folder),
        )
