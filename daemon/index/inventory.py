"""All that the index holds, to compare with the disk: files, drops of an upload, scans by age."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from daemon.drops import DroppedFile, State
from daemon.index.database import Database
from daemon.index.patient_scans import add_identities
from daemon.index.scans import ScanRow, add_scan, scan_of_row


@dataclass(frozen=True)
class HeldFile:
    """One dropped file as the index knows it; aside: where below the inbox it lies now."""

    file: DroppedFile
    state: State
    scan_id: str | None
    sha256: str | None
    in_inbox: bool
    aside: bytes | None


async def held_files(index: Database) -> list[HeldFile]:
    """Every file that was ever dropped."""
    rows = await index.rows(
        "SELECT f.*, d.state, d.scan_id FROM files f JOIN drops d USING (drop_id)"
    )
    return [_held(row) for row in rows]


async def held_folders(index: Database) -> dict[bytes, tuple[str, int]]:
    """scan_id and revision of every published folder, by its path below the outbox.

    Those that retention has removed are left out.
    """
    rows = await index.rows("SELECT folder, scan_id, revision FROM scans WHERE removed_at IS NULL")
    return {row["folder"]: (row["scan_id"], row["revision"]) for row in rows}


async def rejected_lately(index: Database) -> dict[int, list[HeldFile]]:
    """The files of drops that were rejected within the last day, by their drop_id."""
    since = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="milliseconds")
    rows = await index.rows(
        "SELECT f.*, d.state, d.scan_id FROM drops d JOIN files f USING (drop_id)"
        " WHERE d.state = 'rejected' AND d.ended_at > ? AND f.aside IS NOT NULL",
        (since,),
    )
    found: dict[int, list[HeldFile]] = {}
    for row in rows:
        found.setdefault(row["drop_id"], []).append(_held(row))
    return found


async def finished_patients(index: Database) -> set[str]:
    """Those of whom drops have ended, and none waits or runs."""
    rows = await index.rows(
        "SELECT patient_id FROM drops GROUP BY patient_id"
        " HAVING sum(state IN ('waiting', 'running')) = 0"
    )
    return {str(row["patient_id"]) for row in rows}


async def faults_of(database: Database) -> list[str]:
    """What SQLite finds wrong with the file itself (PRAGMA integrity_check); none if sound."""
    try:
        rows = await database.rows("PRAGMA integrity_check")
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [str(row[0]) for row in rows if row[0] != "ok"]


async def enter_scan(index: Database, scan: ScanRow, dicom_ids: Iterable[str]) -> None:
    """A published revision that was found in the outbox."""
    async with index.transaction():
        await add_scan(index, scan)
        await add_identities(index, scan.patient_id, dicom_ids)


def _held(row: sqlite3.Row) -> HeldFile:
    return HeldFile(
        file=DroppedFile(row["path"], row["size"], row["mtime_ns"], row["inode"], row["ctime_ns"]),
        state=State(row["state"]),
        scan_id=row["scan_id"],
        sha256=row["sha256"],
        in_inbox=bool(row["in_inbox"]),
        aside=row["aside"],
    )


MOST = 50  # drops of one upload
LATEST = 400  # of the patient's drops, among which they are looked for


@dataclass(frozen=True)
class SentDrop:
    """One drop of an upload. files: how many of the upload's it has; scan_id: '' until known."""

    drop_id: int
    unit: bytes
    files: int
    state: State
    rested: bool
    reason: str
    scan_id: str
    finding: str


async def drops_of_upload(index: Database, patient_id: str, folder: bytes) -> list[SentDrop]:
    """The drops with files below a folder of the inbox, as they were seen."""
    rows = await index.rows(
        "SELECT d.drop_id, d.unit, count(*) AS files, d.state, d.rested, d.reason, d.scan_id,"
        " (SELECT finding FROM scans s WHERE s.scan_id = d.scan_id ORDER BY revision DESC LIMIT 1)"
        " AS finding FROM (SELECT * FROM drops WHERE patient_id = ?1 ORDER BY drop_id DESC LIMIT"
        f" {LATEST}) d JOIN files f ON f.drop_id = d.drop_id AND f.path >= ?2 AND f.path < ?3"
        f" GROUP BY d.drop_id ORDER BY d.drop_id LIMIT {MOST}",
        (patient_id, folder + b"/", folder + b"0"),  # '0' follows '/'
    )
    return [
        SentDrop(
            drop_id=row["drop_id"],
            unit=row["unit"],
            files=row["files"],
            state=State(row["state"]),
            rested=bool(row["rested"]),
            reason=row["reason"] or "",
            scan_id=row["scan_id"] or "",
            finding=row["finding"] or "",
        )
        for row in rows
    ]


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


async def count_standing(index: Database) -> int:
    """How many scans there are whose files are in the outbox."""
    row = await index.row("SELECT count(DISTINCT scan_id) FROM scans WHERE removed_at IS NULL")
    return int(row[0]) if row else 0


async def removed_folders(index: Database) -> list[bytes]:
    """The folders that retention has taken out of the outbox."""
    rows = await index.rows("SELECT folder FROM scans WHERE removed_at IS NOT NULL")
    return [row["folder"] for row in rows]


async def mark_back(index: Database, folder: bytes) -> None:
    """Somebody has put a removed folder back to its place."""
    async with index.transaction():
        await index.change("UPDATE scans SET removed_at = NULL WHERE folder = ?", (folder,))


async def mark_removed(index: Database, folder: bytes, moment: str) -> None:
    """The files of a revision are no longer in the outbox; what was found stays known."""
    async with index.transaction():
        await index.change(
            "UPDATE scans SET removed_at = ? WHERE folder = ? AND removed_at IS NULL",
            (moment, folder),
        )
