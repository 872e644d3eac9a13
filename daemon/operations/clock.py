"""Whether the machine's clock can be believed, before something is deleted because it is old."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from daemon.index.database import Database
from daemon.index.queue import set_switch, switch
from daemon.index.statistics import newest_time

KNOWN = "clock_known"  # Unix seconds, of the last time that was believed
MOST_APART = 2 * 86400.0  # seconds from the last known time; a machine that was off waits as well
STEADY_SECONDS = 86400.0  # for which a clock that jumped must go on evenly to be believed
MOST_DRIFT = 600.0  # seconds between two clocks meanwhile


@dataclass(frozen=True)
class _Doubt:
    since: float
    wall: float


class PlausibleClock:
    """Compares the clock with the last known time, or with the newest time in the index.

    One that jumped is believed again after a day in which it went on evenly.
    """

    def __init__(
        self,
        index: Database,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index, self._wall, self._steady = index, wall, steady
        self._doubt: _Doubt | None = None

    async def is_plausible(self) -> bool:
        """Ask this before anything goes because of its age."""
        now, known = self._wall(), float(await switch(self._index, KNOWN))
        known = known or await newest_time(self._index) or now
        if abs(now - known) > MOST_APART and not self._has_been_steady(now):
            return False
        self._doubt = None
        await set_switch(self._index, KNOWN, int(now))
        return True

    def _has_been_steady(self, now: float) -> bool:
        moment = self._steady()
        doubt = self._doubt
        if doubt is None or abs((now - doubt.wall) - (moment - doubt.since)) > MOST_DRIFT:
            self._doubt = doubt = _Doubt(moment, now)
        return moment - doubt.since >= STEADY_SECONDS
