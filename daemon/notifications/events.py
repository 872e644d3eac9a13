"""What is news: scans of the worklist, the disk, the daemon's signs of life, the time of day.

Each piece is entered once for each receiver that wants it, with how far one has looked.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from daemon.index import queue
from daemon.index.database import Database
from daemon.index.notices import (
    MARK,
    SINCE,
    NightCounts,
    Notice,
    ScanNews,
    begin_notices,
    enter_notices,
    newest_mark,
    scan_news,
)
from daemon.index.statistics import RECONCILE, last_beat, nights, silence_limit
from daemon.index.worklist_rows import catch_up
from daemon.notifications.digest import last_digest
from daemon.settings import Settings
from daemon.settings.notify import Event, Receiver

DISK, SILENT, DIGEST = "notify_disk_low", "notify_silent", "notify_digest"
DAEMON = "notify_daemon"  # the number of the start that was not yet ended as it should; or 0
BATCH = 500  # rows of the worklist


def here() -> datetime:
    """The time here, with its zone."""
    return datetime.now().astimezone()


class Watch:
    """Looks for news. start: of the daemon, another number each time; clock: the time here."""

    def __init__(
        self,
        joined: Database,
        records: Database,
        settings: Settings,
        start: int,
        clock: Callable[[], datetime] = here,
    ) -> None:
        self._joined, self._records, self._start, self._clock = joined, records, start, clock
        self._receivers: Sequence[Receiver] = settings.notify.to
        self._digest_at = settings.notify.digest_at
        self._longest = silence_limit(settings.daemon.reconcile_seconds)
        self._began = time.time()

    async def begin(self) -> None:
        """Old things are no news; but a daemon that ended without being asked to is told of."""
        await begin_notices(self._joined)
        before = await queue.switch(self._joined, DAEMON)
        if before and before != self._start:
            await self.tell_silent()
        await enter_notices(self._joined, (), {DAEMON: self._start})

    async def end(self) -> None:
        """The daemon is ended as it should be: nobody is told."""
        await enter_notices(self._joined, (), {DAEMON: 0})

    async def look(self) -> None:
        """Enter all that is new since the last look."""
        await self._look_at_scans()
        await self._look_at_disk()
        await self._look_at_daemon()
        await self._look_at_clock()

    async def _look_at_scans(self) -> None:
        while await catch_up(self._joined, self._records):
            pass
        since = await queue.switch(self._joined, SINCE)
        mark, newest = await queue.switch(self._joined, MARK), await newest_mark(self._joined)
        while mark < newest:
            found = await scan_news(self._joined, since, mark, BATCH)
            mark = found[-1].mark if len(found) == BATCH else newest
            pairs = [
                pair
                for each in found
                for notice in told_of(each)
                for pair in self._told(notice, each.labels)
            ]
            await enter_notices(self._joined, pairs, {MARK: mark})

    async def _look_at_disk(self) -> None:
        is_low = await queue.switch(self._joined, "disk_low")
        if is_low != await queue.switch(self._joined, DISK):
            told = self._told(_condition(Event.DISK_LOW, is_over=not is_low))
            await enter_notices(self._joined, told, {DISK: is_low})

    async def _look_at_daemon(self) -> None:
        beat = await last_beat(self._joined, RECONCILE) or 0.0
        silence = time.time() - max(beat, self._began)
        if not await queue.switch(self._joined, SILENT):
            if silence > self._longest:
                await self.tell_silent()
        elif beat > self._began and silence <= self._longest:
            told = self._told(_condition(Event.DAEMON_SILENT, is_over=True))
            await enter_notices(self._joined, told, {SILENT: 0, DAEMON: self._start})

    async def tell_silent(self) -> None:
        """The daemon works no more since its last sign of life, which is told once."""
        beat = await last_beat(self._joined, RECONCILE) or 0.0
        at = datetime.fromtimestamp(beat or self._began, UTC).isoformat(timespec="milliseconds")
        notice = Notice(f"{Event.DAEMON_SILENT}:{beat:.0f}", Event.DAEMON_SILENT, at)
        await enter_notices(self._joined, self._told(notice), {SILENT: 1, DAEMON: 0})

    async def _look_at_clock(self) -> None:
        digest = last_digest(self._clock(), self._digest_at)
        number = digest.day.toordinal()
        is_told = await queue.switch(self._joined, DIGEST) >= number
        if is_told or digest.end.timestamp() < await queue.switch(self._joined, SINCE):
            return
        begin, end = (
            each.isoformat(timespec="milliseconds") for each in (digest.begin, digest.end)
        )
        (night,) = await nights(self._joined, [(begin, end)])
        now = await queue.counts(self._joined)
        counts = NightCounts(
            received=night.received,
            done=night.done,
            review=night.review,
            failed=night.failed,
            waiting=now.waiting + now.running + now.resting,
        )
        notice = Notice(f"{Event.SUMMARY}:{digest.day}", Event.SUMMARY, end, counts=counts)
        await enter_notices(self._joined, self._told(notice), {DIGEST: number})

    def _told(
        self, notice: Notice, labels: frozenset[str] = frozenset()
    ) -> list[tuple[str, Notice]]:
        """Who is told of it; labels: of its scan, which no notice holds."""
        return [
            (receiver.name, notice)
            for receiver in self._receivers
            if receiver.wants(notice.event, notice.kinds, labels)
        ]


def told_of(news: ScanNews) -> Iterator[Notice]:
    """What one scan, or one drop that failed, gives to tell."""
    about = news.scan_id or str(news.drop_id)

    def notice(event: Event, key: str) -> Notice:
        return Notice(f"{event}:{key}", event, news.at, news.kinds, news.scan_id)

    if news.is_cancelled and news.state == "failed":  # a person did that
        return
    if news.is_urgent and news.is_first:
        yield notice(Event.URGENT, about)
    if news.state == "failed":
        yield notice(Event.FAILED, about)
    elif news.is_first:
        yield notice(Event.SCAN_DONE, about)
    if news.state == "review":
        yield notice(Event.NEEDS_REVIEW, f"{about}:{news.judged}")


def _condition(event: Event, is_over: bool) -> Notice:
    moment = datetime.now(UTC)
    at = moment.isoformat(timespec="milliseconds")
    key = f"{event}:{'over' if is_over else 'begins'}:{moment.timestamp():.3f}"
    return Notice(key, event, at, is_over=is_over)
