"""Results read whole: by `verify --full`, which goes on where it ended, and a share a night."""

import asyncio
import logging
import math
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.background import Background
from daemon.drops import readable
from daemon.index.database import Database
from daemon.index.queue import set_switch, switch
from daemon.index.result_files import ResultFiles, keep_late, mark_checked, result_files
from daemon.outputs.manifest import (
    Comparison,
    as_column,
    compare_files,
    from_column,
    hashed_files,
)
from daemon.settings import DaemonSettings

log = logging.getLogger(__name__)

BEGAN = "full_check_began_ms"  # milliseconds since EPOCH; 0: none was cut off
MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DIFFER = "results_differ"  # how many were found by the nights, for the System page
MISSING = "It was published, but is gone."
ADDED = "Nobody published it."
CHANGED = "Its bytes are not those that were published."


def told(folder: bytes, found: Comparison) -> Iterator[tuple[str, str, str]]:
    """Code, place and sentence of each difference."""
    place = readable(folder)
    every = (
        ("missing_file", found.missing, MISSING),
        ("added_file", found.added, ADDED),
        ("changed_file", found.changed, CHANGED),
    )
    for code, names, sentence in every:
        for name in names:
            yield code, f"{place}/{readable(os.fsencode(name))}", sentence


async def check_all(
    daemon: DaemonSettings, index: Database, progress: Callable[[int, int], object]
) -> tuple[list[tuple[str, str, str]], int]:
    """Every result read whole: what differs, and how many had no hashes until now.

    What an earlier try that was cut off has read is not read again.
    """
    began = await switch(index, BEGAN)
    if not began:
        began = (datetime.now(UTC) - EPOCH) // MILLISECOND
        await set_switch(index, BEGAN, began)
    since = (EPOCH + began * MILLISECOND).isoformat(timespec="milliseconds")
    every = await result_files(index)
    left = [each for each in every if each.checked_at < since]
    differences, late, done = list[tuple[str, str, str]](), 0, len(every) - len(left)
    async for each, found in check(daemon.outbox, index, left):
        late += not each.files
        differences += told(each.folder, found) if found else ()
        done += 1
        progress(done, len(every))
    await set_switch(index, BEGAN, 0)
    return differences, late


async def check(
    outbox: Path, index: Database, some: list[ResultFiles]
) -> AsyncIterator[tuple[ResultFiles, Comparison | None]]:
    """Read these whole, one after the other; None for one that retention took meanwhile.

    One without hashes gets those of today: whether it is as it was published, nobody can tell.
    """
    for each in some:
        folder = outbox / os.fsdecode(each.folder)
        if not folder.is_dir():
            yield each, None
        elif not each.files:
            files = await asyncio.to_thread(hashed_files, folder)
            await keep_late(index, each.folder, as_column(files))
            yield each, None
        else:
            known = from_column(each.files)
            found = await asyncio.to_thread(compare_files, folder, known, True)
            if found.agrees:
                await mark_checked(index, each.folder)
            yield each, found


class NightlyCheck:
    """A share of all results each night, those first that were read longest ago."""

    def __init__(self, daemon: DaemonSettings, index: Database) -> None:
        self._daemon, self._index = daemon, index
        self._last = datetime.now().astimezone().date()
        self._rounds = Background("nightly_check_failed")

    def look(self) -> None:
        """Begin once a day, from copy_hour on, if the owner wants it."""
        moment = datetime.now().astimezone()
        is_time = moment.date() != self._last and moment.hour >= self._daemon.copy_hour
        if self._daemon.check_share > 0 and is_time:
            self._last = moment.date()
            self._rounds.begin(self.check_share)

    async def finish(self) -> None:
        """Give up a round that was begun."""
        await self._rounds.give_up()

    async def check_share(self) -> int:
        """One night's share; how many results differ. They are told by the log and the page."""
        every = await result_files(self._index)
        some = every[: math.ceil(self._daemon.check_share * len(every))]
        differ = 0
        async for each, found in check(self._daemon.outbox, self._index, some):
            if found and not found.agrees:
                differ += 1
                log.error("result_differs", extra={"scan": each.scan_id})
        await set_switch(self._index, DIFFER, differ)
        return differ
