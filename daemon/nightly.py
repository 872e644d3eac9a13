"""When the nightly copy of the records is due, and making it beside the daemon's other work."""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.copying import copies_in, make_copy
from model.errors import GliowatchError

log = logging.getLogger(__name__)

LEAST_HOURS = 12.0  # of uptime between two copies, whatever the clock on the wall says
LONGEST_HOURS = 24.0
RETRY_SECONDS = 60.0  # also between two looks at the clock


def is_due(hour: int, now: datetime, newest: datetime | None, uptime_hours: float | None) -> bool:
    """Whether to copy now. `now` is local time with its offset, `hour` one of its hours.

    newest: when the newest copy was made, by the clock, or None; uptime_hours: how long ago this
    daemon made its last one, by a clock that does not jump, or None if it has made none.
    """
    if uptime_hours is not None and uptime_hours < LEAST_HOURS:
        return False
    if newest is None or newest > now:  # a copy of the future: the clock was wrong, then or now
        return True
    night = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    if night > now:
        night -= timedelta(days=1)
    return newest < night or now - newest > timedelta(hours=LONGEST_HOURS)


class NightlyCopies:
    """Makes the copies of one daemon. It never waits for a disk and never raises."""

    def __init__(self, records: Path, folder: Path, hour: int, keep: int) -> None:
        self._records, self._folder = records, folder
        self._hour, self._keep = hour, keep
        self._made: float | None = None  # monotonic seconds
        self._next_look = 0.0
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Begin a copy if one is due; a copies folder that hangs holds nobody up."""
        is_busy = self._task is not None and not self._task.done()
        if not is_busy and time.monotonic() >= self._next_look:
            self._task = asyncio.create_task(self._copy_if_due())

    async def finish(self) -> None:
        """Let a copy that was begun end."""
        if self._task is not None:
            await self._task

    async def _copy_if_due(self) -> None:
        try:
            await asyncio.to_thread(self._copy)
        except GliowatchError as error:
            log.warning("copy_failed", extra={"reason": str(error)})
        except OSError as error:
            log.warning("copy_failed", extra={"errno": error.errno})
        except Exception:
            log.exception("copy_failed")
        self._next_look = time.monotonic() + RETRY_SECONDS

    def _copy(self) -> None:
        """In a thread of its own: everything here touches the disk."""
        uptime = None if self._made is None else (time.monotonic() - self._made) / 3600
        copies = copies_in(self._folder)
        newest = copies[0].made_at if copies else None
        if is_due(self._hour, datetime.now(UTC).astimezone(), newest, uptime):
            make_copy(self._records, self._folder, self._keep)
            self._made = time.monotonic()
            log.info("records_copied")
