"""The reconcile: the index is brought in line with the inbox, drop by drop as each has rested."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Collection, Set
from dataclasses import replace
from pathlib import Path

from daemon.drops import (
    OF_PUBLISHED,
    UNASSIGNED,
    URGENT,
    Drop,
    DropKind,
    DroppedFile,
    QueuedDrop,
    State,
    place_of,
    readable,
)
from daemon.index import ledger, set_aside
from daemon.index.database import Database
from daemon.index.inventory import finished_patients, rejected_lately
from daemon.index.people.patients import ensure_patients
from daemon.index.queue import forget_rejected, wanted_at_once
from daemon.index.statistics import RECONCILE, beat
from daemon.intake import cleanup
from daemon.intake.file_stability import Filed, Stability
from daemon.intake.inbox_scan import (
    InboxScanner,
    Listing,
    NameRules,
    identify,
    is_half,
    is_here,
)
from daemon.records.patients import come_again

MOST_AT_ONCE = 500  # drops a transaction: the queue hands out others between them
STALE_SECONDS = 3600.0  # a temporary name that has kept its size and time for so long is forgotten

WHOLE_SHARE = 200.0  # a whole look that took a second is followed by so many without one,
LONGEST_PAUSE = 5.0  # but by no more than so many times the usual pause

EVERY_SECONDS = 3600.0  # between two looks for folders that may go
EMPTY_SECONDS = 86400.0  # a folder that has held nothing for so long may go, if the owner wants it

log = logging.getLogger(__name__)


def pause_after_whole(took: float, usual: float, is_told: bool) -> float:
    """Seconds until the whole inbox is looked through again.

    took: seconds of the last such look. usual: the pause by the settings. is_told: changes are
    told as they come, so a hundred thousand folders need not be asked for their times so often.
    """
    return min(max(usual, WHOLE_SHARE * took), LONGEST_PAUSE * usual) if is_told else usual


class Reconciler:
    """Looks through one inbox; the only place where drops are found, rest and leave."""

    def __init__(
        self,
        inbox: Path,
        rules: NameRules,
        resting: Stability,
        index: Database,
        records: Database,
        filed: Filed | None = None,
        is_local: bool = True,
        keeps_folders: bool = True,
    ) -> None:
        """filed: what lies under its patient, where PatientIDs decide; None where folders do."""
        self._inbox = inbox
        self._keeps_folders = keeps_folders
        self._next_removal = 0.0
        self._scanner = InboxScanner(inbox, rules, trusts_times=is_local)
        self._resting = resting
        self._filed = filed
        self._index, self._records = index, records
        self._unreadable = 0
        self._temporary = Stability(STALE_SECONDS)
        self._stalled: dict[bytes, int] | None = None  # as the index has them; not asked yet
        self.unfinished: set[bytes] = set()  # units that wait for a temporary name to go
        self.is_away = False

    async def look(self, only: Collection[bytes] | None = None) -> bool:
        """One look; True while something has not rested yet, or the inbox cannot be read.

        only: of the folders that held nothing, these names alone are looked into.
        """
        before = {unit: place_of(unit) for unit in await ledger.open_units(self._index)}
        # ended already, and tidied perhaps while the folders are read, by another task
        leaving = await ledger.ended_in_inbox(self._index)
        if not await self._is_here():
            return True
        try:
            listing = await asyncio.to_thread(self._scanner.scan, only)
        except OSError:
            log.warning("inbox_unreadable")  # unmounted, perhaps: nothing is taken as deleted
            return True
        if listing.unreadable != self._unreadable:
            log.warning("folders_unreadable", extra={"folders": listing.unreadable})
        self._unreadable = listing.unreadable
        await self._take_back_changed()
        await self._finish_leaving(listing, leaving)
        await self._put_back(listing.half_gone)
        known = {queued.drop.unit: queued for queued in await ledger.open_drops(self._index)}
        _part_studies(listing, [queued for queued in known.values() if queued.drop.is_one_study])
        self._find_not_filed(listing)
        await self._tell_stalled(listing, self._find_unfinished(listing))
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
        return bool(settling or await ledger.unrested_units(self._index) - self.unfinished)

    async def remove_empty(self) -> None:
        """Once an hour, if the owner wants it: folders of finished patients that are empty go."""
        if self._keeps_folders or self.is_away or time.monotonic() < self._next_removal:
            return
        self._next_removal = time.monotonic() + EVERY_SECONDS
        names = await asyncio.to_thread(self._scanner.long_empty, EMPTY_SECONDS)
        finished = await finished_patients(self._index) if names else set()
        for name in names:
            if readable(name) in finished:
                with contextlib.suppress(OSError):  # something has just come
                    await asyncio.to_thread(os.rmdir, os.path.join(os.fsencode(self._inbox), name))

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

    def _find_not_filed(self, listing: Listing) -> None:
        """DICOM files that may belong to another patient than their folder says are loose yet."""
        if self._filed is None:
            return
        self._filed.keep_only(f for drop in listing.drops.values() for f in drop.files)
        for unit, drop in listing.drops.items():
            is_whole = drop.kind is DropKind.DICOM and not drop.is_one_study
            if is_whole and not self._filed.holds(drop.files):
                loose = replace(drop, kind=DropKind.LOOSE, patient_id=UNASSIGNED)
                listing.drops[unit] = loose

    def _find_unfinished(self, listing: Listing) -> set[bytes]:
        """DICOM drops that wait for a temporary name, or a folder that could not be read; a header
        that waits for its voxels, or these for it.

        What has not changed for long was left behind: nobody waits for it. The folders of these.
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
        return stale & folders.keys()

    async def _tell_stalled(self, listing: Listing, stale: set[bytes]) -> None:
        """Transfers that have stalled are told on the System page, and never moved."""
        if self._stalled is None:
            self._stalled = await set_aside.stalled(self._index)
        there = {f.path: f.mtime_ns for files in listing.unfinished.values() for f in files}
        told = {path for path, mtime in self._stalled.items() if there.get(path) == mtime}
        told |= {file.path for folder in stale for file in listing.unfinished[folder]}
        stalled = {path: there[path] for path in told}
        if stalled != self._stalled:
            await set_aside.set_stalled(self._index, stalled)
            log.warning("stalled", extra={"files": len(stalled)})
        self._stalled = stalled

    async def _note(self, drops: list[Drop], known: dict[bytes, QueuedDrop]) -> None:
        """Enter what is new, and mark as ready what has rested: many at once in a transaction."""
        new, ready = [], []
        at_once = await wanted_at_once(self._index)
        rested = self._rested(drops)
        for drop in drops:
            queued = known.get(drop.unit)
            if queued is not None and await self._is_of_another_kind(queued, drop):
                queued = None
            is_wanted = queued is not None and queued.drop_id in at_once
            has_rested = drop.unit in rested or is_wanted
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

    async def _is_of_another_kind(self, queued: QueuedDrop, drop: Drop) -> bool:
        """Whether it waits as what it is no longer, such as a loose drop: then it is forgotten."""
        is_other = (queued.drop.kind is DropKind.LOOSE) is not (drop.kind is DropKind.LOOSE)
        if not is_other or queued.state is not State.WAITING:
            return False
        await self._withdraw(queued)
        return True

    def _rested(self, drops: list[Drop]) -> set[bytes]:
        """The units of those that have rested.

        While a file that came before a study closed is still to be filed, the study waits: it
        may belong to it.
        """
        rested = {drop.unit for drop in drops if self._has_rested(drop)}
        loose = [drop for drop in drops if drop.kind is DropKind.LOOSE]
        seen = [self._resting.began_at(drop) for drop in loose if drop.unit not in self.unfinished]
        first = min(seen, default=None)
        return {
            drop.unit
            for drop in drops
            if drop.unit in rested
            and (
                first is None
                or drop.kind is not DropKind.DICOM
                or drop.urgent
                or first > self._resting.closes_at(drop)
            )
        }

    def _has_rested(self, drop: Drop) -> bool:
        if drop.unit not in self.unfinished:
            return self._resting.has_rested(drop.unit, drop.files, drop.kind)
        self._resting.disturb(drop.unit)
        return False

    async def _enter(self, drops: list[Drop]) -> None:
        numbers = await ledger.add_drops(self._index, drops)
        patients = {drop.patient_id for drop in drops}
        await ensure_patients(self._records, patients)
        await come_again(self._index, self._records, patients)
        for number, drop in zip(numbers, drops, strict=True):
            log.info("seen", extra={"drop": number, "kind": drop.kind, "files": len(drop.files)})

    async def _finish_leaving(self, listing: Listing, leaving: list[QueuedDrop]) -> None:
        """Files of ended drops that a crash left in the inbox are no new drops: they go now.

        leaving: those that were on their way out before the listing was made.
        """
        late = await ledger.ended_in_inbox(self._index)
        for queued in late:
            await self._leave(queued)
        ended = {file.looks: file for queued in [*leaving, *late] for file in queued.drop.files}
        for unit in list(listing.drops) if ended else ():
            _take_away(listing, unit, lambda file: self._has_left(file, ended.get(file.looks)))

    def _has_left(self, file: DroppedFile, ended: DroppedFile | None) -> bool:
        """Whether a listed file is of an ended drop; one whose bytes changed stays, and is new."""
        if ended is None or ended == file:
            return ended is not None
        try:
            facts = os.lstat(os.path.join(os.fsencode(self._inbox), file.path))
        except OSError:
            return True
        return identify(file.path, facts) != file

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
    if drop.kind not in (DropKind.DICOM, DropKind.LOOSE):
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


def _take_away(listing: Listing, unit: bytes, has_left: Callable[[DroppedFile], bool]) -> None:
    """The drop goes on without the files that left, or not at all where none is left."""
    drop = listing.drops[unit]
    left = tuple(file for file in drop.files if not has_left(file))
    if not left:
        del listing.drops[unit]
    elif left != drop.files:
        listing.drops[unit] = replace(drop, files=left)
