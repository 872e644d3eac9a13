"""What was set aside, with the reason: duplicates and rejected files; and stalled transfers."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from daemon.drops import State
from daemon.index.database import Database

PAGE = 50
MOST_FILES = 20  # of one drop in a list
_ENDED = "state IN ('duplicate', 'rejected')"
_COLUMNS = "drop_id, patient_id, kind, state, scan_id, reason, ended_at, attempts"


@dataclass(frozen=True)
class AsideFile:
    """path: where it was dropped, below the inbox; aside: where it lies now, if it does.

    removed_at: when it was deleted by age, '' if it was not.
    """

    path: bytes
    aside: bytes | None
    removed_at: str


@dataclass(frozen=True)
class SetAside:
    """One duplicate or rejected drop. scan_id: of a duplicate, the scan that it is like.

    files: MOST_FILES at most; file_count: how many there are. ended_at: UTC, ISO 8601.
    """

    number: int
    patient_id: str
    kind: str
    state: State
    scan_id: str
    reason: str
    ended_at: str
    attempts: int
    files: tuple[AsideFile, ...]
    file_count: int


async def list_set_aside(
    index: Database, state: State, page: int = 0, length: int = PAGE
) -> list[SetAside]:
    """Those in one state, the newest first."""
    rows = await index.rows(
        f"SELECT {_COLUMNS} FROM drops WHERE state = ? ORDER BY drop_id DESC LIMIT ? OFFSET ?",
        (state, length, max(0, page) * length),
    )
    return [await _with_files(index, row) for row in rows]


async def find_set_aside(index: Database, number: int) -> SetAside | None:
    """One by its number."""
    row = await index.row(f"SELECT {_COLUMNS} FROM drops WHERE drop_id = ? AND {_ENDED}", (number,))
    return await _with_files(index, row) if row else None


async def count_set_aside(index: Database, state: State) -> int:
    """How many are in one state."""
    row = await index.row("SELECT count(*) AS n FROM drops WHERE state = ?", (state,))
    return int(row["n"]) if row else 0


async def set_aside_before(index: Database, moment: str, most: int) -> list[tuple[int, bytes]]:
    """Number of the drop and place of each file that was set aside before, the oldest first."""
    rows = await index.rows(
        "SELECT d.drop_id, f.aside FROM drops d JOIN files f USING (drop_id)"
        f" WHERE {_ENDED} AND d.ended_at < ? AND f.aside IS NOT NULL ORDER BY d.ended_at LIMIT ?",
        (moment, most),
    )
    return [(row["drop_id"], row["aside"]) for row in rows]


async def note_removed(index: Database, removed: Iterable[tuple[int, bytes]], moment: str) -> None:
    """These files, by drop and place, were deleted by age."""
    async with index.transaction():
        await index.change_many(
            "UPDATE files SET aside = NULL, removed_at = ? WHERE drop_id = ? AND aside = ?",
            [(moment, number, place) for number, place in removed],
        )


async def stalled(index: Database) -> dict[bytes, int]:
    """Names of transfers that have not gone on for long, and when each file last changed."""
    rows = await index.rows("SELECT path, mtime_ns FROM stalled ORDER BY path")
    return {row["path"]: row["mtime_ns"] for row in rows}


async def set_stalled(index: Database, names: Mapping[bytes, int]) -> None:
    """These are all by now."""
    async with index.transaction():
        await index.change("DELETE FROM stalled")
        await index.change_many("INSERT INTO stalled VALUES (?, ?)", list(names.items()))


async def _with_files(index: Database, row: sqlite3.Row) -> SetAside:
    files = await index.rows(
        "SELECT path, aside, removed_at FROM files WHERE drop_id = ? ORDER BY path",
        (row["drop_id"],),
    )
    return SetAside(
        number=row["drop_id"],
        patient_id=row["patient_id"],
        kind=row["kind"],
        state=State(row["state"]),
        scan_id=row["scan_id"] or "",
        reason=row["reason"] or "",
        ended_at=row["ended_at"] or "",
        attempts=row["attempts"],
        files=tuple(
            AsideFile(each["path"], each["aside"], each["removed_at"] or "")
            for each in files[:MOST_FILES]
        ),
        file_count=len(files),
    )
