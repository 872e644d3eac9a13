"""A slot: one single-process executor, watched from outside and replaced when it dies or hangs."""

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from daemon.logs import log_to_stderr
from model.errors import GliowatchError

T = TypeVar("T")


class WorkerDied(GliowatchError):
    """The process that judged the scan died."""


class WorkerHung(GliowatchError):
    """The process that judged the scan took too long and was stopped."""


class Slot:
    """Runs one function at a time in a spawned process of its own."""

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None
        self._pid = 0

    async def run(self, seconds: float, work: Callable[..., T], *values: Any) -> T:
        """`work(*values)` in the slot's process. Raises WorkerDied or WorkerHung, or its error."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                executor = await self._ready()
                return await loop.run_in_executor(executor, work, *values)
        except TimeoutError:
            self.kill()
            raise WorkerHung("The scan took too long and was stopped.") from None
        except BrokenProcessPool:
            self.kill()
            raise WorkerDied("The scan made the program that judges it fail.") from None
        except asyncio.CancelledError:
            self.kill()
            raise

    async def _ready(self) -> ProcessPoolExecutor:
        """The running executor, or a new one with its process's id."""
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn"), _begin, (os.getpid(),)
            )
            loop = asyncio.get_running_loop()
            self._pid = await loop.run_in_executor(self._executor, os.getpid)
        return self._executor

    def kill(self) -> None:
        """End the process at once, whatever it does; the next `run` starts a fresh one."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        if self._pid:
            try:
                os.kill(self._pid, signal.SIGKILL)
            except ProcessLookupError:
                self._pid = 0  # it was dead already
        self._pid = 0
        executor.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End the process; called when nothing runs in it."""
        self.kill()


def _begin(parent: int) -> None:
    """In the new process: leave Ctrl-C to the daemon, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """An executor's process is not told when its parent is killed, so it looks itself."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
