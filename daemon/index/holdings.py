"""All that the index holds, for a comparison with the disk; and entering what the disk holds."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from daemon.drops import DropKind, DroppedFile, State
from daemon.index.database import Database, now
from daemon.index.identities import add_identities
from daemon.index.scans import ScanRow, add_scan


@dataclass(frozen=True)
class HeldFile:
    """One dropped file as the index knows it; aside: where below the inbox it lies now."""

    file: DroppedFile
    state: State
    scan_id: str | None
    sha256: str | None
    in_inbox: bool
    aside: bytes | None


@dataclass(frozen=True)
class EndedDrop:
    """A drop that has ended, told from where its files lie: in `source/`, or set aside."""

    unit: bytes
    patient_id: str
    kind: DropKind
    state: State
    scan_id: str | None
    reason: str | None
    files: tuple[HeldFile, ...]


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


async def enter_ended(index: Database, drop: EndedDrop) -> None:
    """A drop that must have been, since its files lie where ended drops' files lie.

    When it was seen is lost; that of a scan was before this was published.
    """
    moment = now()
    async with index.transaction():
        first = await index.row(
            "SELECT min(published_at) AS at FROM scans WHERE scan_id = ?", (drop.scan_id,)
        )
        seen_at = first["at"] if first and first["at"] else moment
        drop_id = await index.change(
            "INSERT INTO drops (unit, patient_id, kind, state, scan_id, reason, seen_at, ended_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(drop.unit, drop.patient_id, drop.kind, drop.state),
                *(drop.scan_id, drop.reason, seen_at, moment),
            ),
        )
        await index.change_many(
            "INSERT INTO files (drop_id, path, size, mtime_ns, inode, sha256, in_inbox, aside)"
            " VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
            [
                (
                    *(drop_id, held.file.path, held.file.size, held.file.mtime_ns),
                    *(held.file.inode, held.sha256, held.aside),
                )
                for held in drop.files
            ],
        )


def _held(row: sqlite3.Row) -> HeldFile:
    return HeldFile(
        DroppedFile(row["path"], row["size"], row["mtime_ns"], row["inode"]),
        State(row["state"]),
        row["scan_id"],
        row["sha256"],
        bool(row["in_inbox"]),
        row["aside"],
    )
