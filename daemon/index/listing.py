"""All published scans, newest revisions only; none of deleted patients."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

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


@dataclass(frozen=True)
class LatestMask:
    """The newest mask of a scan: the revision in which it was made, and who drew it last."""

    scan_id: str
    revision: int
    is_corrected: bool


async def latest_masks(index: Database, limit: int) -> list[LatestMask]:
    """The masks of the scans that were published last, newest first; none that retention took."""
    rows = await index.rows(
        "SELECT scan_id, coalesce(json_extract(report, '$.judged_revision'), revision) AS judged,"
        " json_extract(report, '$.mask') IS NOT NULL AS corrected FROM scans s"
        " WHERE removed_at IS NULL AND finding != 'not_judged' AND revision ="
        " (SELECT max(revision) FROM scans o WHERE o.scan_id = s.scan_id)"
        " ORDER BY published_at DESC, scan_id LIMIT ?",
        (limit,),
    )
    return [LatestMask(row["scan_id"], row["judged"], bool(row["corrected"])) for row in rows]
