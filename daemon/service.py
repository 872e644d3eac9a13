"""The daemon: look through the inbox, queue what has rested, judge, publish, tidy up."""

import asyncio
import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from daemon import processing
from daemon.copying import refuse_damaged
from daemon.drops import QueuedDrop, State
from daemon.inbox import NameRules
from daemon.index import ledger
from daemon.index.database import Database, open_index, open_records
from daemon.index.patients import ensure_patients
from daemon.index.scans import patient_ids
from daemon.lock import only_one
from daemon.nightly import NightlyCopies
from daemon.notifying import Notifier
from daemon.publishing import clear_staging
from daemon.reconciling import Reconciler
from daemon.resting import Resting
from daemon.settings import Settings
from daemon.slots import Slot, WorkerDied, WorkerHung
from daemon.watching import watch
from daemon.work import judging_rules, warm_up

log = logging.getLogger(__name__)

GIVE_UP = 3  # times
TICK_SECONDS = 0.5  # between two looks while something is resting
WORKER_CALLS = 5  # of one drop, at most; each has scan_timeout_seconds


@dataclass
class _Tally:
    """What became of the drops since the start."""

    rejected: int = 0
    returned: Counter[bytes] = field(default_factory=Counter)

    @property
    def stuck(self) -> set[bytes]:
        """Units that came back to the queue too often to wait for them in a run with `once`."""
        return {unit for unit, times in self.returned.items() if times >= GIVE_UP}


class Service:
    """One daemon over one inbox. `run` ends when `stop` is set, or when drained if `once`."""

    def __init__(self, settings: Settings, index: Database, records: Database) -> None:
        daemon = settings.daemon
        self._settings = settings
        self._index, self._records = index, records
        self._resting = Resting(daemon.rest_seconds)
        rules = NameRules(daemon.ignore_names, daemon.wait_suffixes)
        self._inbox = Reconciler(daemon.inbox, rules, self._resting, index, records)
        self._copies = NightlyCopies(
            daemon.records, daemon.copies, daemon.copy_hour, daemon.records_copies
        )
        self._notifier = Notifier(os.environ)
        self._slot = Slot()
        self._changed = asyncio.Event()
        self._tally = _Tally()

    async def run(self, once: bool, stop: asyncio.Event) -> int:
        """Work until stopped or drained; 1 if any drop was rejected since the start, else 0."""
        cut_off = await ledger.put_back_all(self._index)
        if cut_off:
            log.warning("resumed", extra={"drops": cut_off})
        await ensure_patients(self._records, await patient_ids(self._index))
        try:
            await self._warm_up()
            daemon = self._settings.daemon
            with watch(daemon.inbox, self._changed, daemon.polling_seconds):
                self._notifier.ready()
                await self._work(once, stop)
        finally:
            self._notifier.stopping()
            self._slot.close()
            await self._copies.finish()
        return 1 if self._tally.rejected or self._tally.stuck else 0

    async def _warm_up(self) -> None:
        """Load the network once; weights that cannot be used end the daemon before any scan."""
        seconds = self._settings.daemon.scan_timeout_seconds
        try:
            await self._slot.run(seconds, warm_up, judging_rules(self._settings.model))
        except (WorkerDied, WorkerHung):
            log.warning("warm_up_failed")  # the first scan starts a fresh worker

    async def _work(self, once: bool, stop: asyncio.Event) -> None:
        next_look = 0.0
        while not stop.is_set():
            self._notifier.alive()
            if self._changed.is_set() or time.monotonic() >= next_look:
                self._changed.clear()
                self._copies.look()
                is_resting = await self._inbox.look()
                pause = TICK_SECONDS if is_resting else self._settings.daemon.reconcile_seconds
                next_look = time.monotonic() + pause
            if await self._judge_next(stop):
                continue
            if once and await self._is_drained():
                return
            await self._pause(max(0.0, next_look - time.monotonic()), stop)

    async def _is_drained(self) -> bool:
        """Nothing waits any more but what cannot be read or written now, whoever tries."""
        waiting = {queued.drop.unit for queued in await ledger.open_drops(self._index)}
        return waiting <= self._tally.stuck | self._inbox.unfinished

    async def _pause(self, seconds: float, stop: asyncio.Event) -> None:
        """Wait for a hint from the watcher or for the next regular look, whichever is first."""
        seconds = min(seconds, self._notifier.pause or seconds)
        waits = {asyncio.create_task(self._changed.wait()), asyncio.create_task(stop.wait())}
        _, pending = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if self._changed.is_set() and not stop.is_set():
            await asyncio.sleep(min(TICK_SECONDS / 5, seconds))  # a copy makes many hints

    async def _judge_next(self, stop: asyncio.Event) -> bool:
        """Take one drop through; False if none is ready. A stop puts it back in the queue."""
        queued = await ledger.claim_next(self._index)
        if queued is None:
            return False
        work = asyncio.create_task(self._judge(queued))
        stopped = asyncio.create_task(stop.wait())
        await self._wait_alive({work, stopped})
        stopped.cancel()
        if not work.done():
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            await ledger.put_back(self._index, queued.drop_id, True, count_attempt=False)
            return False
        await work
        return True

    async def _wait_alive(self, tasks: set[asyncio.Task[Any]]) -> None:
        """Wait for the first of these. A drop may take its time, but not for ever."""
        end = time.monotonic() + WORKER_CALLS * self._settings.daemon.scan_timeout_seconds
        done: set[asyncio.Task[Any]] = set()
        while not done:
            if time.monotonic() < end:
                self._notifier.alive()
            done, _ = await asyncio.wait(
                tasks, timeout=self._notifier.pause, return_when=asyncio.FIRST_COMPLETED
            )

    async def _judge(self, queued: QueuedDrop) -> None:
        job = processing.Job(
            self._index,
            self._records,
            self._slot,
            self._settings,
            judging_rules(self._settings.model),
            queued,
        )
        outcome = await processing.process(job)
        if outcome is State.REJECTED:
            self._tally.rejected += 1
        if outcome is State.WAITING:
            self._resting.disturb(queued.drop.unit)
            self._tally.returned[queued.drop.unit] += 1
        else:
            self._tally.returned.pop(queued.drop.unit, None)
        await self._inbox.tidy()


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """A daemon with its folders, its lock and both databases.

    Raises AlreadyRunning, or RecordsDamaged before anything is written to damaged records.
    """
    daemon = settings.daemon
    for folder in (daemon.inbox, daemon.outbox, daemon.index.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with only_one(daemon.index):
        await asyncio.to_thread(refuse_damaged, daemon.records, daemon.copies)
        clear_staging(daemon.outbox)
        async with open_index(daemon.index) as index, open_records(daemon.records) as records:
            yield Service(settings, index, records)


async def run_daemon(settings: Settings, once: bool, stop: asyncio.Event) -> int:
    """Open everything and work; the exit code of `gliowatch run`."""
    async with open_service(settings) as service:
        log.info("started", extra={"pid": os.getpid()})
        result = await service.run(once, stop)
        log.info("stopped")
        return result
