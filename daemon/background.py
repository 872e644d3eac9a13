"""Work beside the daemon's loop: one round at a time, whose faults are logged and stop nobody.

It is short because its three users, retention, the nightly check and the teller of reviews, would
else each have their own.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)


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
