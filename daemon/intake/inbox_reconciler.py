"""The reconcile: the index is brought in line with the inbox, drop by drop as each has rested.

Counted by the monotonic clock, since files may carry any time and the machine's clock may jump.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Set
from dataclasses import replace
from pathlib import Path

from daemon.drops import OF_PUBLISHED, URGENT, Drop, DropKind, DroppedFile, QueuedDrop, State
from daemon.index import ledger
from daemon.index.database import Database
from daemon.index.inventory import rejected_lately
from daemon.index.people.patients import ensure_patients
from daemon.index.queue import forget_rejected, wanted_at_once
from daemon.index.statistics import RECONCILE, beat
from daemon.intake import cleanup
from daemon.intake.inbox_scan import Listing, NameRules, is_half, is_here, scan_inbox
from daemon.records.patients import come_again


class Stability:
    """Remembers since when each drop's files have been as they are now."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen: dict[bytes, tuple[tuple[DroppedFile, ...], float]] = {}

    def has_rested(self, unit: bytes, files: tuple[DroppedFile, ...]) -> bool:
        """Note what the drop looks like now; True once it has looked so for long enough."""
        moment = self._clock()
        known = self._seen.get(unit)
        if known is None or known[0] != files:
            self._seen[unit] = (files, moment)
            return self._seconds == 0
        return moment - known[1] >= self._seconds

    def disturb(self, unit: bytes) -> None:
        """Start to count anew: something beside the drop is still being copied."""
        self._seen.pop(unit, None)

    def keep_only(self, units: set[bytes]) -> None:
        """Forget drops that are no longer in the inbox, so that memory follows the inbox."""
        for unit in self._seen.keys() - units:
            del self._seen[unit]


MOST_AT_ONCE = 500  # drops a transaction: the queue hands out others between them
STALE_SECONDS = 3600.0  # a temporary name that has kept its size and time for so long is forgotten

log = logging.getLogger(__name__)


class Reconciler:
    """Looks through one inbox; the only place where drops are found, rest and leave."""

    def __init__(
        self, inbox: Path, rules: NameRules, resting: Stability, index: Database, records: Database
    ) -> None:
        self._inbox = inbox
        self._rules = rules
        self._resting = resting
        self._index, self._records = index, records
        self._unreadable = 0
        self._temporary = Stability(STALE_SECONDS)
        self.unfinished: set[bytes] = set()  # units that wait for a temporary name to go
        self.is_away = False

    async def look(self) -> bool:
        """One look; True while something has not rested yet, or the inbox cannot be read."""
        before = {q.drop.unit: q.drop.place for q in await ledger.open_drops(self._index)}
        if not await self._is_here():
            return True
        try:
            listing = await asyncio.to_thread(scan_inbox, self._inbox, self._rules)
        except OSError:
            log.warning("inbox_unreadable")  # unmounted, perhaps: nothing is taken as deleted
            return True
        if listing.unreadable != self._unreadable:
            log.warning("folders_unreadable", extra={"folders": listing.unreadable})
        self._unreadable = listing.unreadable
        await self._take_back_changed()
        await self._finish_leaving(listing)
        await self._put_back(listing.half_gone)
        known = {queued.drop.unit: queued for queued in await ledger.open_drops(self._index)}
        _part_studies(listing, [queued for queued in known.values() if queued.drop.is_one_study])
        self._find_unfinished(listing)
        # what ended while the folders were read may have been seen half gone: the next look tells
        settling = {place for unit, place in before.items() if unit not in known}
        await self._note([d for d in listing.drops.values() if d.place not in settling], known)
        for queued in known.values():
            is_seen = queued.drop.unit in listing.drops or queued.drop.place in settling
            if not is_seen and not _is_hidden(queued.drop, listing):
                await self._withdraw(queued)
        self._resting.keep_only(set(listing.drops))
        if not await beat(self._index, RECONCILE):
            log.warning("heartbeat_failed")  # /healthz tells it in its time
        waiting = await ledger.open_drops(self._index)
        return bool(settling) or any(
            not q.rested and q.drop.unit not in self.unfinished for q in waiting
        )

    async def _is_here(self) -> bool:
        """Nothing is found or taken as deleted in a folder that is not the inbox."""
        here = await is_here(self._inbox, self._index)
        if here is self.is_away:
            log.warning("inbox_is_back" if here else "inbox_away")
        self.is_away = not here
        return here

    async def _put_back(self, half_gone: list[bytes]) -> None:
        """What a crash left on its way out, and is not of a drop that ended, stays."""
        for path in half_gone:
            with contextlib.suppress(OSError):  # it has just gone
                await asyncio.to_thread(cleanup.put_back, self._inbox, path)
                log.warning("put_back")

    async def _take_back_changed(self) -> None:
        """A rejected file that changed since was still being copied: it is a new drop."""
        for number, files in (await rejected_lately(self._index)).items():
            changed = await asyncio.to_thread(cleanup.has_changed, self._inbox, files)
            if changed:
                places = [(held.file.path, held.aside) for held in files if held.aside]
                for path, aside in places:
                    with contextlib.suppress(FileNotFoundError):  # somebody took it
                        await asyncio.to_thread(cleanup.come_back, self._inbox, path, aside)
                await forget_rejected(self._index, number)
                log.info("taken_back", extra={"drop": number})

    async def _withdraw(self, queued: QueuedDrop) -> None:
        if queued.state is State.WAITING and queued.drop.kind not in OF_PUBLISHED:
            await ledger.withdraw(self._index, queued.drop_id)
            log.info("withdrawn", extra={"drop": queued.drop_id})

    def _find_unfinished(self, listing: Listing) -> None:
        """DICOM drops that wait for a temporary name, or a folder that could not be read; a header
        that waits for its voxels, or these for it.

        What has not changed for long was left behind: nobody waits for it.
        """
        folders, drops = listing.unfinished, listing.drops.values()
        halves = {drop.unit: drop.files for drop in drops if is_half(drop)}
        awaited = {f: files for f, files in (folders | halves).items() if files}
        stale = {f for f, files in awaited.items() if self._temporary.has_rested(f, files)}
        self._temporary.keep_only(set(awaited))
        unfinished = {drop.unit for drop in drops if _waits_for(drop, folders.keys() - stale)}
        unfinished |= halves.keys() - stale
        if unfinished != self.unfinished:
            log.info("unfinished", extra={"drops": len(unfinished)})
        self.unfinished = unfinished

    async def _note(self, drops: list[Drop], known: dict[bytes, QueuedDrop]) -> None:
        """Enter what is new, and mark as ready what has rested: many at once in a transaction."""
        new, ready = [], []
        at_once = await wanted_at_once(self._index)
        for drop in drops:
            queued = known.get(drop.unit)
            is_wanted = queued is not None and queued.drop_id in at_once
            has_rested = self._has_rested(drop) or is_wanted
            is_disturbed = drop.unit in self.unfinished and not is_wanted
            if queued is None:
                new.append(drop)
            elif queued.state is State.WAITING and queued.drop.files != drop.files:
                await ledger.change_files(self._index, queued.drop_id, drop)
            elif queued.state is State.WAITING and queued.rested and is_disturbed:
                await ledger.disturb(self._index, queued.drop_id)
            elif queued.state is State.WAITING and not queued.rested and has_rested:
                ready.append(queued.drop_id)
        for first in range(0, len(new), MOST_AT_ONCE):
            await self._enter(new[first : first + MOST_AT_ONCE])
        if ready:
            await ledger.mark_rested(self._index, ready)

    def _has_rested(self, drop: Drop) -> bool:
        if drop.unit not in self.unfinished:
            return self._resting.has_rested(drop.unit, drop.files)
        self._resting.disturb(drop.unit)
        return False

    async def _enter(self, drops: list[Drop]) -> None:
        numbers = await ledger.add_drops(self._index, drops)
        patients = {drop.patient_id for drop in drops}
        await ensure_patients(self._records, patients)
        await come_again(self._index, self._records, patients)
        for number, drop in zip(numbers, drops, strict=True):
            log.info("seen", extra={"drop": number, "kind": drop.kind, "files": len(drop.files)})

    async def _finish_leaving(self, listing: Listing) -> None:
        """Files of ended drops that a crash left in the inbox are no new drops: they go now."""
        for queued in await ledger.ended_in_inbox(self._index):
            await self._leave(queued)
            gone = set(queued.drop.files)
            for unit in list(listing.drops):
                _take_away(listing, unit, gone)

    async def tidy(self, drop_id: int) -> None:
        """Take the files of this drop out of the inbox, if it has ended."""
        if not await self._is_here():
            return
        for ended in await ledger.ended_in_inbox(self._index, drop_id):
            leaving_now = asyncio.create_task(self._leave(ended))
            try:
                await asyncio.shield(leaving_now)
            finally:  # also on the way out: where a file went to is noted before the end
                await leaving_now

    async def _leave(self, queued: QueuedDrop) -> None:
        try:
            places = await asyncio.to_thread(cleanup.leave, self._inbox, queued)
        except OSError as error:  # it is tried again at the next look
            log.warning("cannot_leave", extra={"drop": queued.drop_id, "errno": error.errno})
            return
        await ledger.mark_left(self._index, queued.drop_id, places)


def _is_hidden(drop: Drop, listing: Listing) -> bool:
    """Whether a folder that cannot be read now holds files of the drop: they are not gone."""
    hidden = [folder + b"/" for folder, files in listing.unfinished.items() if not files]
    return any(file.path.startswith(folder) for file in drop.files for folder in hidden)


def _waits_for(drop: Drop, folders: Set[bytes]) -> bool:
    """Whether one of these folders, which are not whole yet, lies in a DICOM drop's place."""
    if drop.kind is not DropKind.DICOM:
        return False
    inside = [f for f in folders if f == drop.place or f.startswith(drop.place + b"/")]
    urgent = os.path.join(drop.place, URGENT)
    return any(drop.urgent or not (f + b"/").startswith(urgent + b"/") for f in inside)


def _part_studies(listing: Listing, studies: list[QueuedDrop]) -> None:
    """What was told apart as studies stays so, as long as the place holds just their files.

    If one of them has changed, or others have come, all go back to the place, which rests, and
    the studies are told anew: what is late may belong to a study that still waits.
    """
    for place in {queued.drop.place for queued in studies}:
        drops = [queued.drop for queued in studies if queued.drop.place == place]
        whole = listing.drops.get(place)
        if whole and set(whole.files) == {file for drop in drops for file in drop.files}:
            del listing.drops[place]
            listing.drops |= {drop.unit: drop for drop in drops}


def _take_away(listing: Listing, unit: bytes, files: set[DroppedFile]) -> None:
    """The drop goes on without these files, or not at all where none is left."""
    drop = listing.drops[unit]
    left = tuple(file for file in drop.files if file not in files)
    if not left:
        del listing.drops[unit]
    elif left != drop.files:
        listing.drops[unit] = replace(drop, files=left)
