"""The reconcile: the index is brought in line with the inbox, which is the truth."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

from daemon import leaving
from daemon.drops import Drop, DropKind, DroppedFile, QueuedDrop, State
from daemon.inbox import Listing, NameRules, look_through
from daemon.index import ledger
from daemon.index.database import Database
from daemon.index.patients import ensure_patients
from daemon.resting import Resting

log = logging.getLogger(__name__)


class Reconciler:
    """Looks through one inbox; the only place where drops are found, rest and leave."""

    def __init__(
        self, inbox: Path, rules: NameRules, resting: Resting, index: Database, records: Database
    ) -> None:
        self._inbox = inbox
        self._rules = rules
        self._resting = resting
        self._index, self._records = index, records
        self._unreadable = 0
        self.unfinished: set[bytes] = set()  # units that wait for a temporary name to go

    async def look(self) -> bool:
        """One look; True while something has not rested yet, or the inbox cannot be read."""
        try:
            listing = await asyncio.to_thread(look_through, self._inbox, self._rules)
        except OSError:
            log.warning("inbox_unreadable")  # unmounted, perhaps: nothing is taken as deleted
            return True
        if listing.unreadable != self._unreadable:
            log.warning("folders_unreadable", extra={"folders": listing.unreadable})
        self._unreadable = listing.unreadable
        await self._finish_leaving(listing)
        known = {queued.drop.unit: queued for queued in await ledger.open_drops(self._index)}
        _part_studies(listing, [queued for queued in known.values() if queued.drop.is_one_study])
        self.unfinished = {d.unit for d in listing.drops.values() if _is_unfinished(d, listing)}
        for unit, drop in listing.drops.items():
            await self._note(drop, known.get(unit), listing)
        for unit, queued in known.items():
            if unit not in listing.drops and queued.state is State.WAITING:
                await ledger.withdraw(self._index, queued.drop_id)
                log.info("withdrawn", extra={"drop": queued.drop_id})
        self._resting.keep_only(set(listing.drops))
        waiting = await ledger.open_drops(self._index)
        return any(not q.rested and q.drop.unit not in self.unfinished for q in waiting)

    async def _note(self, drop: Drop, queued: QueuedDrop | None, listing: Listing) -> None:
        if queued is None:
            drop_id = await ledger.add_drop(self._index, drop)
            await ensure_patients(self._records, [drop.patient_id])
            log.info("seen", extra={"drop": drop_id, "kind": drop.kind, "files": len(drop.files)})
        elif queued.state is State.WAITING and queued.drop.files != drop.files:
            await ledger.change_files(self._index, queued.drop_id, drop)
        if _is_unfinished(drop, listing):
            self._resting.disturb(drop.unit)
            return
        has_rested = self._resting.has_rested(drop.unit, drop.files)
        is_waiting = queued is not None and queued.state is State.WAITING and not queued.rested
        if has_rested and queued is not None and is_waiting:
            await ledger.mark_rested(self._index, [queued.drop_id])

    async def _finish_leaving(self, listing: Listing) -> None:
        """Files of ended drops that a crash left in the inbox are no new drops: they go now."""
        for queued in await ledger.ended_in_inbox(self._index):
            await self._leave(queued)
            gone = set(queued.drop.files)
            for unit in list(listing.drops):
                _take_away(listing, unit, gone)

    async def tidy(self) -> None:
        """Take the files of ended drops out of the inbox."""
        for ended in await ledger.ended_in_inbox(self._index):
            await self._leave(ended)

    async def _leave(self, queued: QueuedDrop) -> None:
        try:
            paths = await asyncio.to_thread(leaving.leave, self._inbox, queued)
        except OSError as error:  # it is tried again at the next look
            log.warning("cannot_leave", extra={"drop": queued.drop_id, "errno": error.errno})
            return
        await ledger.mark_left(self._index, queued.drop_id, paths)


def _is_unfinished(drop: Drop, listing: Listing) -> bool:
    """A DICOM folder in or below which a temporary name still lies is not whole yet."""
    if drop.kind is not DropKind.DICOM:
        return False
    below = drop.place + b"/"
    return any(folder == drop.place or folder.startswith(below) for folder in listing.unfinished)


def _part_studies(listing: Listing, studies: list[QueuedDrop]) -> None:
    """What was told apart as a study stays so, as long as all its files lie there untouched.

    If they do not, its files go back to their folder, and the studies are told anew.
    """
    for queued in studies:
        drop = queued.drop
        whole = listing.drops.get(drop.place)
        there = set(whole.files if whole else ()) & set(drop.files)
        if there and (len(there) == len(drop.files) or queued.state is State.RUNNING):
            _take_away(listing, drop.place, there)
            listing.drops[drop.unit] = replace(drop, files=tuple(sorted(there)))


def _take_away(listing: Listing, unit: bytes, files: set[DroppedFile]) -> None:
    """The drop goes on without these files, or not at all where none is left."""
    drop = listing.drops[unit]
    left = tuple(file for file in drop.files if file not in files)
    if not left:
        del listing.drops[unit]
    elif left != drop.files:
        listing.drops[unit] = replace(drop, files=left)
