"""A slot: one single-process executor, watched from outside and replaced when it dies or hangs."""

import asyncio
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from daemon.confinement import Bounds, Mounts, confine, places
from daemon.logs import log_to_stderr
from daemon.outputs.catalogue import text
from daemon.settings import Allowance
from model.errors import GliowatchError

Result = TypeVar("Result")
Values = ParamSpec("Values")
MEMORY_SECONDS = 0.25  # between two looks at a process's memory
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class WorkerFailed(GliowatchError):
    """The process that analyzed the scan died, or had to be ended."""


class WorkerDied(WorkerFailed):
    """The process that analyzed the scan died."""


class WorkerHung(WorkerFailed):
    """The process that analyzed the scan took too long and was stopped."""


class WorkerTooLarge(WorkerFailed):
    """The process that analyzed the scan took too much memory and was stopped."""


class Slot:
    """Runs one function at a time in a spawned process of its own."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        """bounds: what the process may touch beside a scratch folder of its own; None: all."""
        self._executor: ProcessPoolExecutor | None = None
        self._pid = 0
        self._bounds = bounds
        self._places: object = None
        self._mounts: Mounts | None = None
        self._scratch: Path | None = None

    async def run(
        self,
        allowance: Allowance,
        work: Callable[Values, Result],
        *values: Values.args,
        **named: Values.kwargs,
    ) -> Result:
        """`work(*values, **named)` in the slot's process. Raises WorkerFailed or its own error."""
        loop = asyncio.get_running_loop()
        watcher = None
        try:
            async with asyncio.timeout(allowance.seconds):
                executor = await self._ready()
                watcher = asyncio.create_task(self._watch_memory(allowance.memory_bytes))
                return await loop.run_in_executor(executor, partial(work, *values, **named))
        except TimeoutError:
            self.kill()
            raise WorkerHung(text("intake.too_long")) from None
        except BrokenProcessPool:
            self.kill()
            if watcher and watcher.done():
                raise WorkerTooLarge(text("intake.too_much_memory")) from None
            raise WorkerDied(text("intake.worker_died")) from None
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            if watcher:
                watcher.cancel()

    async def _watch_memory(self, limit: int) -> None:
        """Kill the process once it holds more than `limit` bytes; ends only then."""
        while resident_bytes(self._pid) <= limit:  # noqa: ASYNC110 - nobody tells of memory
            await asyncio.sleep(MEMORY_SECONDS)
        os.kill(self._pid, signal.SIGKILL)

    async def _ready(self) -> ProcessPoolExecutor:
        """The running executor, or a new one with its process's id."""
        if self._executor and self._has_moved():
            self.kill()
        if self._executor is None:
            self._note_places()
            self._scratch = Path(tempfile.mkdtemp(prefix="gliowatch-"))
            begin = (os.getpid(), self._scratch, self._bounds)
            self._executor = ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn"), _begin, begin
            )
            loop = asyncio.get_running_loop()
            self._pid = await loop.run_in_executor(self._executor, os.getpid)
        return self._executor

    def _note_places(self) -> None:
        if self._bounds is not None:
            self._places = places(self._bounds)
            self._mounts = Mounts()

    def _has_moved(self) -> bool:
        """Whether its folders are others now: the kernel would keep the process out of those."""
        if self._bounds is None or self._mounts is None:
            return False
        return self._mounts.have_changed() or places(self._bounds) != self._places

    def kill(self) -> None:
        """End the process at once, whatever it does; the next `run` starts a fresh one."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        # asked of the executor: a process that has not begun to work has not told its number yet
        for pid in list(executor._processes or ()):
            with suppress(ProcessLookupError):  # it was dead already
                os.kill(pid, signal.SIGKILL)
        self._pid = 0
        executor.shutdown(wait=False, cancel_futures=True)
        if self._mounts:
            self._mounts.close()
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def close(self) -> None:
        """End the process; called when nothing runs in it."""
        self.kill()


class TooManyWait(WorkerFailed):
    """More ask for a slot than may wait for it."""


class SharedSlot:
    """A slot for which many ask at once: they take turns, and only so many wait."""

    def __init__(self, bounds: Bounds | None, allowance: Allowance, most: int) -> None:
        self._slot, self._allowance, self._most = Slot(bounds), allowance, most
        self._lock = asyncio.Lock()
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One's turn. Raises TooManyWait."""
        if self._waiting >= self._most:
            raise TooManyWait(text("fault.too_many_wait"))
        self._waiting += 1
        try:
            async with self._lock:
                yield
        finally:
            self._waiting -= 1

    async def run(
        self, work: Callable[Values, Result], *values: Values.args, **named: Values.kwargs
    ) -> Result:
        """As Slot.run does it; within a turn."""
        return await self._slot.run(self._allowance, work, *values, **named)

    def close(self) -> None:
        """End the process."""
        self._slot.close()


def resident_bytes(pid: int) -> int:
    """How much memory a process holds, as Linux tells; 0 of one that is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _begin(parent: int, scratch: Path, bounds: Bounds | None) -> None:
    """In the new process: leave Ctrl-C to the daemon, keep to the bounds, do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr()
    tempfile.tempdir = str(scratch)
    if bounds is not None:
        confine(replace(bounds, writable=(*bounds.writable, scratch)))
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """An executor's process is not told when its parent is killed, so it looks itself."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
