"""What was set aside: told by file names, reason and time, and emptied by age if the owner asks."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.drops import State, readable
from daemon.index import set_aside
from daemon.index.database import Database, now
from daemon.index.set_aside import AsideFile, SetAside
from daemon.intake.cleanup import remove_aside
from daemon.outputs.catalogue import text
from daemon.outputs.wording import moment_words

EVERY_SECONDS = 3600.0
MOST_A_ROUND = 100  # files: a clock that is wrong is noticed before much is gone
LEAP_SECONDS = 600.0  # by which the clock may be corrected between two rounds

log = logging.getLogger(__name__)


async def lines(index: Database, states: tuple[State, ...]) -> list[str]:
    """All that was set aside, the newest first: a line each, then one for each file."""
    told: list[str] = []
    for state in states:
        page = 0
        while found := await set_aside.list_set_aside(index, state, page):
            told += [line for each in found for line in _lines_of(each)]
            page += 1
    return told


def file_words(file: AsideFile) -> str:
    """Where a file lies below the inbox, or that it does no longer."""
    if file.aside is not None:
        return readable(file.aside)
    if file.removed_at:
        at = moment_words(file.removed_at)
        return text("aside.deleted", name=readable(file.path), moment=at)
    return text("aside.not_there", name=readable(file.path))


def reason_words(each: SetAside) -> str:
    """Why it was set aside."""
    if each.state is State.DUPLICATE:
        return text("aside.duplicate", scan=each.scan_id or text("report.not_known"))
    return each.reason


def more_words(each: SetAside) -> str:
    """How many files are not in the list, '' for none."""
    more = each.file_count - len(each.files)
    return text("aside.more", count=more) if more else ""


def _lines_of(each: SetAside) -> Iterator[str]:
    at, reason = moment_words(each.ended_at), reason_words(each)
    yield f"{each.number}: {each.patient_id}, {each.kind}, {each.state}, {at}: {reason}"
    yield from (f"  {file_words(file)}" for file in each.files)
    if more := more_words(each):
        yield f"  {more}"


class AgeLimit:
    """Deletes, once an hour, what was set aside so many days ago; 0 days: never.

    The clock of the machine is not believed at once: nothing goes in the first hour of a run, nor
    in the hour after it was moved, and never more than MOST_A_ROUND files.
    """

    def __init__(
        self,
        inbox: Path,
        days: float,
        index: Database,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inbox, self._days, self._index = inbox, days, index
        self._clock, self._steady = clock, steady
        self._difference = clock() - steady()
        self._next = steady() + EVERY_SECONDS

    async def look(self) -> int:
        """Delete what may go now; how many files went."""
        if not self._days or self._steady() < self._next:
            return 0
        self._next = self._steady() + EVERY_SECONDS
        difference = self._clock() - self._steady()
        if abs(difference - self._difference) > LEAP_SECONDS:
            self._difference = difference
            log.warning("clock_moved")
            return 0
        moment = datetime.fromtimestamp(self._clock(), UTC) - timedelta(days=self._days)
        before = moment.isoformat(timespec="milliseconds")
        found = await set_aside.set_aside_before(self._index, before, MOST_A_ROUND)
        gone = []
        for number, place in found:
            try:
                await asyncio.to_thread(remove_aside, self._inbox, place)
            except OSError as error:
                log.warning("cannot_delete", extra={"drop": number, "errno": error.errno})
                continue
            log.info("aside_deleted", extra={"drop": number})
            gone.append((number, place))
        if gone:
            await set_aside.note_removed(self._index, gone, now())
        return len(gone)
