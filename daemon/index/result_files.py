"""What every file of a published folder was: its size, time and hash, one row a folder."""

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.index.database import Database, now


@dataclass(frozen=True)
class ResultFiles:
    """files: as `daemon.outputs.manifest` writes them; '' where they were never hashed.

    is_late: they were hashed long after they were published. checked_at: when they were last read
    whole and were as they had been; '' if never.
    """

    folder: bytes
    scan_id: str
    files: str
    is_late: bool
    checked_at: str


async def result_files(index: Database) -> list[ResultFiles]:
    """Of every result that is in the outbox, those first that were checked longest ago."""
    rows = await index.rows(
        "SELECT s.folder, s.scan_id, coalesce(f.files, '') AS files,"
        " coalesce(f.is_late, 0) AS is_late, coalesce(f.checked_at, '') AS checked_at"
        " FROM scans s LEFT JOIN result_files f USING (folder) WHERE s.removed_at IS NULL"
        " ORDER BY checked_at, s.scan_id, s.revision"
    )
    return [
        ResultFiles(row[0], row[1], row[2], bool(row["is_late"]), row["checked_at"]) for row in rows
    ]


async def insert_files(index: Database, folders: Iterable[tuple[bytes, str]]) -> None:
    """What lies in folders that were just published; inside a transaction."""
    await index.change_many(
        "INSERT OR REPLACE INTO result_files (folder, files) VALUES (?, ?)", folders
    )


async def keep_late(index: Database, folder: bytes, files: str) -> None:
    """The files of a result from before hashes were kept, as they are now."""
    async with index.transaction():
        await index.change(
            "INSERT OR REPLACE INTO result_files VALUES (?, ?, 1, ?)", (folder, files, now())
        )


async def mark_checked(index: Database, folder: bytes) -> None:
    """All files of a folder were read, and are as they were."""
    async with index.transaction():
        await index.change(
            "UPDATE result_files SET checked_at = ? WHERE folder = ?", (now(), folder)
        )
