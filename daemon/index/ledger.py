"""The ledger and queue: every dropped file's state, moved only by the functions of this file."""

import sqlite3
from collections.abc import Iterable

from daemon.drops import Drop, DropKind, DroppedFile, QueuedDrop, State
from daemon.index.database import Database, now
from daemon.index.identities import add_identities
from daemon.index.scans import ScanRow, add_scan


async def add_drop(index: Database, drop: Drop) -> int:
    """Enter a drop that was seen for the first time, as waiting; its drop_id."""
    async with index.transaction():
        return await _enter(index, drop, rested=False, seen_at=now())


async def change_files(index: Database, drop_id: int, drop: Drop) -> None:
    """A waiting drop's files have changed, so it must rest anew."""
    async with index.transaction():
        await index.change(
            "UPDATE drops SET rested = 0, kind = ?, urgent = ? WHERE drop_id = ?",
            (drop.kind, drop.urgent, drop_id),
        )
        await index.change("DELETE FROM files WHERE drop_id = ?", (drop_id,))
        await _add_files(index, drop_id, drop.files)


async def mark_rested(index: Database, drop_ids: Iterable[int]) -> None:
    """These waiting drops have rested: the queue may hand them out."""
    async with index.transaction():
        await index.change_many(
            "UPDATE drops SET rested = 1 WHERE drop_id = ? AND state = 'waiting'",
            [(drop_id,) for drop_id in drop_ids],
        )


async def disturb(index: Database, drop_id: int) -> None:
    """A waiting drop must rest anew: something beside it is still being copied."""
    async with index.transaction():
        await index.change(
            "UPDATE drops SET rested = 0 WHERE drop_id = ? AND state = 'waiting'", (drop_id,)
        )


async def withdraw(index: Database, drop_id: int) -> None:
    """Forget a waiting drop whose files were taken away again before anything began."""
    async with index.transaction():
        await index.change(
            "DELETE FROM drops WHERE drop_id = ? AND state IN ('waiting', 'running')", (drop_id,)
        )


async def split(index: Database, drop_id: int, studies: Iterable[Drop]) -> None:
    """A running drop turned out to be several studies: each waits, rested, in its place.

    A part of such a study that waits already goes: its files are found again at the next look.
    """
    async with index.transaction():
        row = await index.row(
            "DELETE FROM drops WHERE drop_id = ? AND state = 'running' RETURNING seen_at",
            (drop_id,),
        )
        if row is None:
            return
        for study in studies:
            await index.change(
                "DELETE FROM drops WHERE unit = ? AND state = 'waiting'", (study.unit,)
            )
            await _enter(index, study, rested=True, seen_at=row["seen_at"])


async def claim_next(index: Database) -> QueuedDrop | None:
    """Take the next rested drop, urgent ones first, and count the attempt; None if none is left."""
    async with index.transaction():
        row = await index.row(
            "UPDATE drops SET state = 'running', attempts = attempts + 1, started_at = ?"
            " WHERE drop_id = (SELECT drop_id FROM drops WHERE state = 'waiting' AND rested"
            " ORDER BY urgent DESC, drop_id LIMIT 1) RETURNING *",
            (now(),),
        )
    return await _queued(index, row) if row else None


async def put_back(index: Database, drop_id: int, rested: bool, count_attempt: bool) -> None:
    """A running drop waits again: after a crash, a shutdown, or because its files changed."""
    async with index.transaction():
        await index.change(
            "UPDATE drops SET state = 'waiting', rested = ?, attempts = attempts - ?,"
            " started_at = NULL WHERE drop_id = ? AND state = 'running'",
            (rested, 0 if count_attempt else 1, drop_id),
        )


async def put_back_all(index: Database) -> int:
    """At start: nothing can be running yet, so what is marked so was cut off by a crash."""
    async with index.transaction():
        return await index.change(
            "UPDATE drops SET state = 'waiting', rested = 0 WHERE state = 'running'"
        )


async def finish(
    index: Database,
    drop_id: int,
    scan: ScanRow,
    hashes: dict[bytes, str],
    dicom_ids: Iterable[str] = (),
    state: State = State.DONE,
) -> None:
    """The scan is published: enter its findings and end its drop, in one transaction."""
    async with index.transaction():
        await add_scan(index, scan)
        await add_identities(index, scan.patient_id, dicom_ids)
        await _end(index, drop_id, state, scan.scan_id, None)
        await index.change_many(
            "UPDATE files SET sha256 = ? WHERE drop_id = ? AND path = ?",
            [(digest, drop_id, path) for path, digest in hashes.items()],
        )


async def take_over(index: Database, scan: ScanRow) -> None:
    """Enter a revision that lies in the outbox and that no drop is known to have made."""
    async with index.transaction():
        await add_scan(index, scan)


async def finish_duplicate(index: Database, drop_id: int, scan_id: str) -> None:
    """The drop holds a scan that this patient already has."""
    async with index.transaction():
        await _end(index, drop_id, State.DUPLICATE, scan_id, None)


async def reject(index: Database, drop_id: int, reason: str) -> None:
    """The drop cannot become a scan, and `reason` says why in one sentence."""
    async with index.transaction():
        await _end(index, drop_id, State.REJECTED, None, reason)


async def open_drops(index: Database) -> list[QueuedDrop]:
    """All waiting and running drops, in the order in which they were seen."""
    rows = await index.rows(
        "SELECT * FROM drops WHERE state IN ('waiting', 'running') ORDER BY drop_id"
    )
    return [await _queued(index, row) for row in rows]


async def ended_in_inbox(index: Database) -> list[QueuedDrop]:
    """Ended drops some of whose files still have to leave the inbox; only those files.

    An archive of several studies stays until all of them have ended; if one was rejected, the
    archive goes where rejected files go.
    """
    rows = await index.rows(
        "SELECT * FROM drops WHERE drop_id IN (SELECT DISTINCT drop_id FROM files WHERE in_inbox)"
        " AND state IN ('done', 'duplicate', 'rejected')"
        f" AND NOT EXISTS ({_STILL_NEEDED}) ORDER BY state = 'rejected' DESC, drop_id"
    )
    return [await _queued(index, row, only_in_inbox=True) for row in rows]


async def mark_left(index: Database, drop_id: int, paths: Iterable[bytes]) -> None:
    """These files' names are gone from the inbox, or belong to new content now."""
    async with index.transaction():
        await index.change_many(
            "UPDATE files SET in_inbox = 0 WHERE drop_id = ? AND path = ?",
            [(drop_id, path) for path in paths],
        )


async def count_states(index: Database) -> dict[State, int]:
    """How many drops are in each state; all states are there."""
    rows = await index.rows("SELECT state, count(*) AS n FROM drops GROUP BY state")
    found = {State(row["state"]): int(row["n"]) for row in rows}
    return {state: found.get(state, 0) for state in State}


_STILL_NEEDED = (
    "SELECT 1 FROM files mine JOIN files other ON other.path = mine.path AND other.in_inbox"
    " AND other.inode = mine.inode AND other.mtime_ns = mine.mtime_ns"
    " JOIN drops open ON open.drop_id = other.drop_id AND open.state IN ('waiting', 'running')"
    " WHERE mine.drop_id = drops.drop_id AND mine.in_inbox"
)


async def _end(
    index: Database, drop_id: int, state: State, scan_id: str | None, reason: str | None
) -> None:
    await index.change(
        "UPDATE drops SET state = ?, scan_id = ?, reason = ?, ended_at = ?"
        " WHERE drop_id = ? AND state = 'running'",
        (state, scan_id, reason, now(), drop_id),
    )


async def _enter(index: Database, drop: Drop, rested: bool, seen_at: str) -> int:
    """A waiting drop with its files; its drop_id."""
    drop_id = await index.change(
        "INSERT INTO drops (unit, patient_id, kind, state, rested, urgent, seen_at)"
        " VALUES (?, ?, ?, 'waiting', ?, ?, ?)",
        (drop.unit, drop.patient_id, drop.kind, rested, drop.urgent, seen_at),
    )
    await _add_files(index, drop_id, drop.files)
    return drop_id


async def _add_files(index: Database, drop_id: int, files: Iterable[DroppedFile]) -> None:
    await index.change_many(
        "INSERT INTO files (drop_id, path, size, mtime_ns, inode) VALUES (?, ?, ?, ?, ?)",
        [(drop_id, file.path, file.size, file.mtime_ns, file.inode) for file in files],
    )


async def _queued(index: Database, row: sqlite3.Row, only_in_inbox: bool = False) -> QueuedDrop:
    files = await index.rows(
        "SELECT path, size, mtime_ns, inode FROM files WHERE drop_id = ?"
        f"{' AND in_inbox' if only_in_inbox else ''} ORDER BY path",
        (row["drop_id"],),
    )
    drop = Drop(
        row["unit"],
        row["patient_id"],
        DropKind(row["kind"]),
        bool(row["urgent"]),
        tuple(DroppedFile(*file) for file in files),
    )
    return QueuedDrop(
        row["drop_id"],
        drop,
        State(row["state"]),
        bool(row["rested"]),
        row["attempts"],
        row["reason"],
    )
