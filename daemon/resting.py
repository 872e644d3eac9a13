"""When a drop has rested: its files have kept size, time and identity for long enough.

Counted by the monotonic clock, since files may carry any time and the machine's clock may jump.
"""

import time
from collections.abc import Callable

from daemon.drops import DroppedFile


class Resting:
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
