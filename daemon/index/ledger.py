"""The ledger: every dropped file's state, moved only by the functions of this file.

Which moves there are stands in `daemon/drops.py` (MOVES); the index itself refuses any other.
"""

import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from daemon.drops import Drop, DropKind, DroppedFile, QueuedDrop, State
from daemon.index.database import Database, now
from daemon.index.patient_scans import (
    add_identities,
    patients_named,
    queue_doubted,
    queue_stale,
    replace_identity,
)
from daemon.index.scans import ScanRow, add_scan
from daemon.outputs.catalogue import text
from model.errors import GliowatchError


class LeaseLost(GliowatchError):
    """The drop was taken from this worker meanwhile: what it made counts for nothing."""


async def add_drops(index: Database, drops: Iterable[Drop]) -> list[int]:
    """Enter drops that were seen for the first time, as waiting; their drop_ids."""
    moment = now()
    async with index.transaction():
        return [await _enter(index, drop, rested=False, seen_at=moment) for drop in drops]


async def change_files(index: Database, drop_id: int, drop: Drop) -> None:
    """A waiting drop's files have changed, so it must rest anew."""
    async with index.transaction():
        await index.change(
            "UPDATE drops SET rested = 0, kind = ?, urgent = max(urgent, ?), arrived_ns = ?,"
            " touched = ? WHERE drop_id = ?",
            (drop.kind, drop.urgent, _arrived(drop), time.time(), drop_id),
        )
        await index.change("DELETE FROM files WHERE drop_id = ?", (drop_id,))
        await _add_files(index, drop_id, drop.files)


async def mark_rested(index: Database, drop_ids: Iterable[int]) -> None:
    """These waiting drops have rested: the queue may hand them out."""
    async with index.transaction():
        await index.change_many(
            "UPDATE drops SET rested = 1, rested_at = ? WHERE drop_id = ? AND state = 'waiting'",
            [(now(), drop_id) for drop_id in drop_ids],
        )


async def disturb(index: Database, drop_id: int) -> None:
    """A waiting drop must rest anew: something beside it is still being copied."""
    async with index.transaction():
        await index.change(
            "UPDATE drops SET rested = 0, touched = ? WHERE drop_id = ? AND state = 'waiting'",
            (time.time(), drop_id),
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


async def put_back(
    index: Database, claim: QueuedDrop, rested: bool, count_attempt: bool, delay: float = 0.0
) -> None:
    """A running drop waits again, and is not handed out for `delay` seconds."""
    async with index.transaction():
        await index.change(
            "UPDATE drops SET state = 'waiting', rested = ?, attempts = attempts - ?,"
            " not_before = ?, started_at = NULL, owner = NULL, lease_until = NULL"
            " WHERE drop_id = ? AND state = 'running' AND token = ?",
            (rested, not count_attempt, time.time() + delay, claim.drop_id, claim.token),
        )


async def put_back_all(index: Database) -> int:
    """At start: nothing can be running yet, so what is marked so was cut off by a crash."""
    async with index.transaction():
        return await index.change(
            "UPDATE drops SET state = 'waiting', owner = NULL, lease_until = NULL,"
            " rested = (kind IN ('again', 'compare', 'correct')) WHERE state = 'running'"
        )


async def finish(
    index: Database,
    claim: QueuedDrop,
    scan: ScanRow,
    hashes: Mapping[bytes, str],
    dicom_ids: Iterable[str] = (),
    state: State = State.DONE,
    corrected_id: str = "",
) -> None:
    """The scan is published: enter its findings and end its drop, in one transaction.

    What is compared with it, or no longer should be, is queued in the same one. corrected_id: the
    PatientID that its pictures bore before.
    """
    known = frozenset(dicom_ids)
    async with index.transaction():
        await add_scan(index, scan)
        if corrected_id:
            await replace_identity(index, scan.patient_id, corrected_id)
        await add_identities(index, scan.patient_id, known)
        await _end(index, claim, state, scan.scan_id, None)
        await queue_stale(index, {scan.patient_id} | await patients_named(index, known))
        await queue_doubted(index, scan.patient_id, scan.report.input.may_belong_to or ())
        await _keep_hashes(index, claim, hashes)


async def finish_beside(
    index: Database, claim: QueuedDrop, scan_id: str, hashes: Mapping[bytes, str]
) -> None:
    """The drop's files are kept beside a scan, and make none; scan_id: of their own content."""
    async with index.transaction():
        await _end(index, claim, State.DONE, scan_id, None)
        await _keep_hashes(index, claim, hashes)


async def take_over(index: Database, scan: ScanRow) -> None:
    """Enter a revision that lies in the outbox and that no drop is known to have made."""
    async with index.transaction():
        await add_scan(index, scan)
        await queue_stale(index, [scan.patient_id])


async def finish_duplicate(
    index: Database,
    claim: QueuedDrop,
    scan_id: str,
    dicom_ids: Iterable[str] = (),
    hashes: Mapping[bytes, str] | None = None,
) -> None:
    """The drop holds a scan that this patient already has, perhaps under another PatientID."""
    known = frozenset(dicom_ids)
    async with index.transaction():
        await add_identities(index, claim.drop.patient_id, known)
        await _end(index, claim, State.DUPLICATE, scan_id, None)
        await queue_stale(index, {claim.drop.patient_id} | await patients_named(index, known))
        await _keep_hashes(index, claim, hashes or {})


async def reject(index: Database, claim: QueuedDrop, reason: str) -> None:
    """The drop cannot become a scan, and `reason` says why in one sentence."""
    async with index.transaction():
        await _end(index, claim, State.REJECTED, None, reason)


async def open_drops(index: Database) -> list[QueuedDrop]:
    """All waiting and running drops, in the order in which they were seen."""
    rows = await index.rows(
        "SELECT * FROM drops WHERE state IN ('waiting', 'running') ORDER BY drop_id"
    )
    files: dict[int, list[DroppedFile]] = {}
    for each in await index.rows(
        "SELECT drop_id, path, size, mtime_ns, inode, ctime_ns FROM drops"
        " JOIN files USING (drop_id)"
        " WHERE state IN ('waiting', 'running') ORDER BY drop_id, path"
    ):
        files.setdefault(each["drop_id"], []).append(DroppedFile(*each[1:]))
    return [_queued(row, files.get(row["drop_id"], [])) for row in rows]


async def open_units(index: Database) -> set[bytes]:
    """The units of all waiting and running drops."""
    rows = await index.rows("SELECT unit FROM drops WHERE state IN ('waiting', 'running')")
    return {row["unit"] for row in rows}


async def unrested_units(index: Database) -> set[bytes]:
    """The units of those of them that have not rested yet."""
    rows = await index.rows(
        "SELECT unit FROM drops WHERE state IN ('waiting', 'running') AND NOT rested"
    )
    return {row["unit"] for row in rows}


async def ended_in_inbox(index: Database, drop_id: int | None = None) -> list[QueuedDrop]:
    """Ended drops some of whose files still have to leave the inbox; only those files.

    An archive of several studies stays until all of them have ended; if one was rejected, the
    archive goes where rejected files go. drop_id: only this drop and those that share its files.
    """
    which = "SELECT drop_id FROM files WHERE in_inbox" if drop_id is None else _SHARING
    rows = await index.rows(
        f"SELECT * FROM drops WHERE drop_id IN ({which})"
        " AND state IN ('done', 'duplicate', 'rejected')"
        f" AND NOT EXISTS ({_STILL_NEEDED}) ORDER BY state = 'rejected' DESC, drop_id",
        () if drop_id is None else (drop_id,),
    )
    return [await queued(index, row, only_in_inbox=True) for row in rows]


async def mark_left(index: Database, drop_id: int, places: Mapping[bytes, bytes | None]) -> None:
    """These files' names are gone from the inbox, or belong to new content now.

    places: where below the inbox one lies that was set aside, else None.
    """
    async with index.transaction():
        await index.change_many(
            "UPDATE files SET in_inbox = 0, aside = ? WHERE drop_id = ? AND path = ?",
            [(aside, drop_id, path) for path, aside in places.items()],
        )


async def count_states(index: Database) -> dict[State, int]:
    """How many drops are in each state; all states are there."""
    rows = await index.rows("SELECT state, count(*) AS n FROM drops GROUP BY state")
    found = {State(row["state"]): int(row["n"]) for row in rows}
    return {state: found.get(state, 0) for state in State}


_SHARING = (
    "SELECT other.drop_id FROM files mine JOIN files other"
    " ON other.path = mine.path AND other.in_inbox WHERE mine.drop_id = ? AND mine.in_inbox"
)
_STILL_NEEDED = (
    "SELECT 1 FROM files mine JOIN files other ON other.path = mine.path AND other.in_inbox"
    " AND other.inode = mine.inode AND other.mtime_ns = mine.mtime_ns"
    " JOIN drops open ON open.drop_id = other.drop_id AND open.state IN ('waiting', 'running')"
    " WHERE mine.drop_id = drops.drop_id AND mine.in_inbox"
)


async def _end(
    index: Database, claim: QueuedDrop, state: State, scan_id: str | None, reason: str | None
) -> None:
    ended = await index.change(
        "UPDATE drops SET state = ?, scan_id = ?, reason = ?, ended_at = ?, lease_until = NULL"
        " WHERE drop_id = ? AND state = 'running' AND token = ?",
        (state, scan_id, reason, now(), claim.drop_id, claim.token),
    )
    if not ended:
        raise LeaseLost(text("intake.lease_lost"))


async def _keep_hashes(index: Database, claim: QueuedDrop, hashes: Mapping[bytes, str]) -> None:
    await index.change_many(
        "UPDATE files SET sha256 = ? WHERE drop_id = ? AND path = ?",
        [(digest, claim.drop_id, path) for path, digest in hashes.items()],
    )


async def _enter(index: Database, drop: Drop, rested: bool, seen_at: str) -> int:
    """A waiting drop with its files; its drop_id."""
    drop_id = await index.change(
        "INSERT INTO drops (unit, patient_id, kind, state, rested, urgent, seen_at, arrived_ns,"
        " touched, rested_at) VALUES (?, ?, ?, 'waiting', ?, ?, ?, ?, ?, ?)",
        (
            *(drop.unit, drop.patient_id, drop.kind, rested, drop.urgent, seen_at),
            *(_arrived(drop), time.time(), now() if rested else None),
        ),
    )
    await _add_files(index, drop_id, drop.files)
    return drop_id


def _arrived(drop: Drop) -> int:
    return max((file.mtime_ns for file in drop.files), default=0)


async def _add_files(index: Database, drop_id: int, files: Iterable[DroppedFile]) -> None:
    await index.change_many(
        "INSERT INTO files (drop_id, path, size, mtime_ns, inode, ctime_ns)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(drop_id, f.path, f.size, f.mtime_ns, f.inode, f.ctime_ns) for f in files],
    )


async def queued(index: Database, row: sqlite3.Row, only_in_inbox: bool = False) -> QueuedDrop:
    """A row of drops with its files."""
    files = await index.rows(
        "SELECT path, size, mtime_ns, inode, ctime_ns, sha256 FROM files WHERE drop_id = ?"
        f"{' AND in_inbox' if only_in_inbox else ''} ORDER BY path",
        (row["drop_id"],),
    )
    hashes = {file["path"]: file["sha256"] for file in files if file["sha256"]}
    return replace(_queued(row, [DroppedFile(*file[:5]) for file in files]), hashes=hashes)


def _queued(row: sqlite3.Row, files: list[DroppedFile]) -> QueuedDrop:
    drop = Drop(
        row["unit"],
        row["patient_id"],
        DropKind(row["kind"]),
        bool(row["urgent"]),
        tuple(files),
    )
    return QueuedDrop(
        drop_id=row["drop_id"],
        drop=drop,
        state=State(row["state"]),
        rested=bool(row["rested"]),
        attempts=row["attempts"],
        reason=row["reason"],
        token=row["token"],
        seen_at=row["seen_at"],
    )
