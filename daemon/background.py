"""Work beside the daemon's loop: one round at a time, whose faults are logged and stop nobody.

And how a process beside the daemon is told to end. It is short because its users, retention, the
nightly check, the teller of reviews, and the processes, would else each have their own.
"""

import asyncio
import logging
import multiprocessing
import signal
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)


def wish_to_stop() -> asyncio.Event:
    """Set by SIGTERM, and by the end of the process that began this one: nothing outlives it."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if parent := multiprocessing.parent_process():
        loop.add_reader(parent.sentinel, stop.set)
    return stop


class Background:
    """One kind of work. fault: the log's event for a round that failed."""

    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a round is at work."""
        return self._task is not None and not self._task.done()

    def begin(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Begin a round, unless one is at work."""
        if not self.is_busy:
            self._task = asyncio.create_task(self._round(work))

    async def give_up(self) -> None:
        """End a round that is at work; what it has not come to stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _round(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        try:
            await work()
        except OSError as error:
            log.warning(self._fault, extra={"errno": error.errno})
        except Exception:
            log.exception(self._fault)
