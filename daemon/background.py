"""Work beside the daemon's loop: one round at a time, whose faults are logged and stop nobody.

And how a process beside the daemon is told to end, and does not wait for a thread that hangs. It
is short because its users, retention, the nightly check, the teller of reviews, and the processes,
would else each have their own.
"""

import asyncio
import logging
import multiprocessing
import signal
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

log = logging.getLogger(__name__)


def wish_to_stop() -> asyncio.Event:
    """Set by SIGTERM, and by the end of the process that began this one: nothing outlives it."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if parent := multiprocessing.parent_process():
        loop.add_reader(parent.sentinel, stop.set)
    return stop


async def until_stopped(work: Coroutine[Any, Any, None], farewell: float = 0.0) -> None:
    """Work until there is a wish to stop. Raises what the work raises.

    farewell: seconds that the work may go on then, for what it has in its hands.
    """
    stop, working = wish_to_stop(), asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not working.done() and farewell:
        await asyncio.wait({working}, timeout=farewell)
    stopping.cancel()
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working


T = TypeVar("T")


async def in_thread(call: Callable[[], T], seconds: float) -> T:
    """The result of a call in a thread, which is left to itself where it takes longer.

    Unlike one of asyncio's own threads, it does not hold up the end of the process then. Raises
    TimeoutError.
    """
    ended: Future[T] = Future()
    ended.set_running_or_notify_cancel()

    def run() -> None:
        try:
            ended.set_result(call())
        except BaseException as error:
            ended.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    async with asyncio.timeout(seconds):
        return await asyncio.wrap_future(ended)


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
