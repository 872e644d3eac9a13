"""The daemon: scan the inbox, queue what has rested, analyze, publish, clean up; tell systemd."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from daemon.drops import QueuedDrop, State
from daemon.index import ledger, queue
from daemon.index.database import Database, is_damaged, open_index, open_records
from daemon.index.people.patients import ensure_patients
from daemon.index.scans import patient_ids
from daemon.intake.cleanup import DUPLICATES, REJECTED
from daemon.intake.file_stability import Filed, Stability
from daemon.intake.inbox_reconciler import Reconciler, pause_after_whole
from daemon.intake.inbox_scan import NameRules, keep_mark
from daemon.intake.watcher import Changes, watch
from daemon.machines.activity_file import account_file
from daemon.machines.coordinator import far_machines
from daemon.operations.audit_syslog import audit_sent
from daemon.operations.backup import NightlyCopies, refuse_damaged
from daemon.operations.full_check import NightlyCheck
from daemon.operations.live_copy import copied_live
from daemon.operations.rebuild import clear_unfinished, enter_unknown, rebuild
from daemon.operations.retention import PlausibleClock, Retention
from daemon.operations.set_aside import AgeLimit
from daemon.operations.status import has_room, is_quiet
from daemon.outputs.catalogue import text
from daemon.pipeline import scan_pipeline
from daemon.pipeline.lost_index import IndexLost, file_mark, is_lost
from daemon.pipeline.outbox import clear_staging
from daemon.pipeline.review_objects import ReviewTeller
from daemon.pipeline.running_scans import Job, KeyedLocks, Machines, RunningScans
from daemon.pipeline.worker_processes import Slot, WorkerFailed
from daemon.pipeline.worker_tasks import analysis_rules, warm_up
from daemon.records.corrections import settle
from daemon.records.overrides import queue_dated, queue_spaced, queue_wished
from daemon.records.patients import Upkeep
from daemon.records.settled_scans import SettlingRule
from daemon.safe_files import only_one, only_one_in, share_with
from daemon.settings import DaemonSettings, Settings
from daemon.settings.reload import SettingsInForce

log = logging.getLogger(__name__)


class Notifier:
    """Sends to the socket that NOTIFY_SOCKET names; without it, nothing is sent."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if not self._address.startswith(("/", "@")):
            self._address = ""
        self._interval = _watchdog_seconds(environment) / 4 if self._address else 0.0
        self._next = 0.0

    @property
    def pause(self) -> float | None:
        """The longest time in seconds between two calls of `alive`; None: as long as you like.

        A quarter of the watchdog's time, so that messages are less than half of it apart.
        """
        return self._interval or None

    def ready(self) -> None:
        """The start is over: whatever was waiting for this service may begin."""
        self._send("READY=1")

    def extend(self) -> None:
        """The start, or the end, takes longer, and goes on."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(EXTEND_SECONDS * 1e6)}")

    def progress(self, done: int, total: int) -> None:
        """How far the index is that is being made again: systemctl status and the log tell it."""
        self.extend()
        self._send(f"STATUS=Making the index again: {done} of {total} results.")
        log.info("rebuilding", extra={"results": done, "of": total})

    def alive(self) -> None:
        """The work goes on. Only for the work loop to say, since a timer would say it always."""
        if self._interval and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._interval
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        """Without waiting and without raising: a supervisor in trouble is no reason to stop."""
        if not self._address:
            return
        is_abstract = self._address.startswith("@")
        address = "\0" + self._address[1:] if is_abstract else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), address)
        except OSError as error:
            log.warning("notify_failed", extra={"errno": error.errno})


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """The time after which systemd ends a silent service; 0 where it does not watch this one."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    microseconds = environment.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0


EXTEND_SECONDS = 60.0  # for which systemd waits after each sign of a long start
GIVE_UP = 3  # times
TICK_SECONDS = 0.5  # between two looks while something is resting
LOOKING_SHARE = 4.0  # a look that took a second is followed by four without one


@dataclass
class _Tally:
    """What became of the drops since the start."""

    rejected: int = 0
    returned: Counter[bytes] = field(default_factory=Counter)

    @property
    def stuck(self) -> set[bytes]:
        """Units that came back to the queue too often to wait for them in a run with `once`."""
        return {unit for unit, times in self.returned.items() if times >= GIVE_UP}

    def count(self, unit: bytes, outcome: State) -> None:
        """One drop has ended, or waits again."""
        if outcome is State.REJECTED:
            self.rejected += 1
        if outcome is State.WAITING:
            self.returned[unit] += 1
        else:
            self.returned.pop(unit, None)


class Service:
    """One daemon over one inbox. `run` ends when `stop` is set, or when drained if `once`.

    With `once`, DICOM studies rest no longer than other files.
    """

    def __init__(
        self,
        in_force: SettingsInForce,
        index: Database,
        records: Database,
        once: bool,
        machines: Machines | None = None,
    ) -> None:
        settings, daemon = in_force.now, in_force.daemon
        self._settings = in_force
        self._once = once
        self._index, self._records = index, records
        self._resting = Stability(daemon.rest_seconds, None if once else daemon.close_seconds)
        self._filed = Filed()
        self._inbox = Reconciler(
            daemon.inbox,
            NameRules(daemon.ignore_names, daemon.wait_suffixes),
            self._resting,
            index,
            records,
            None if daemon.folder == "patient" else self._filed,
            is_local=daemon.watch == "events",
            keeps_folders=not daemon.remove_empty_folders,
        )
        self._copies = NightlyCopies(
            daemon.records, daemon.copies, daemon.copy_hour, daemon.records_copies
        )
        self._retention = Retention(daemon, index, records, PlausibleClock(index))
        self._check = NightlyCheck(daemon, index)
        self._aside = AgeLimit(daemon.inbox, daemon.keep_aside_days, index)
        self._upkeep = Upkeep(daemon, index, records)
        self._teller = ReviewTeller(settings, index, records)
        self._settling = SettlingRule(daemon, index, records)
        self._notifier = Notifier(os.environ)
        self._changes = Changes()
        self._next_whole = 0.0  # when all of the inbox is looked through again
        self._tally = _Tally()
        self._owner = secrets.token_hex(8)
        self._scans = RunningScans(index, settings, self._owner, self._analyze, machines)
        self._turns = KeyedLocks()
        self._has_room = True
        self._index_mark = file_mark(daemon.index)

    async def run(self, stop: asyncio.Event) -> int:
        """Work until stopped or drained; 1 if any drop was rejected since the start, else 0."""
        cut_off = await ledger.put_back_all(self._index)
        if cut_off:
            log.warning("resumed", extra={"drops": cut_off})
        await ensure_patients(self._records, await patient_ids(self._index))
        await queue_dated(self._index, self._records)
        await self._upkeep.begin()
        await queue_spaced(self._index, self._records)
        await queue_wished(self._index, self._records)
        try:
            await _unless(stop, self._warm_up())
            daemon = self._settings.daemon
            with watch(daemon.inbox, self._changes, daemon.polling_seconds):
                self._notifier.ready()
                async with copied_live(daemon), audit_sent(daemon, self._index, self._records):
                    await self._work(stop)
        finally:
            self._notifier.stopping()
            await self._scans.close()
            await self._teller.finish()
            await self._copies.finish()
            await self._retention.finish()
            await self._check.finish()
        return 1 if self._tally.rejected or self._tally.stuck or await self._is_held() else 0

    async def _warm_up(self) -> None:
        """Load the network once; weights that cannot be used end the daemon before any scan."""
        rules = analysis_rules(self._settings.model)
        try:
            await self._scans.first_slot.run(self._settings.daemon.allowance, warm_up, rules)
        except WorkerFailed:
            log.warning("warm_up_failed")  # the first scan starts a fresh worker

    async def _work(self, stop: asyncio.Event) -> None:
        next_look = earliest = 0.0
        while not stop.is_set():
            self._notifier.alive()
            if time.monotonic() >= self._next_look(earliest, next_look):
                earliest, next_look = await self._look()
            began = await self._begin()
            if self._once and not began and not self._scans.tasks and await self._is_drained():
                earliest, next_look = await self._look(is_whole=True)  # a loose file was filed?
                if await self._is_drained():
                    return
            is_hinted = self._changes.event.is_set()
            if is_hinted:  # a copy makes many hints: one look for all of them, a little later
                next_look = min(next_look, time.monotonic() + TICK_SECONDS / 5)
            pause = self._next_look(earliest, next_look) - time.monotonic()
            patience = await self._scans.patience()
            await self._pause(max(0.0, min(pause, patience)), stop, is_hinted)

    async def _look(self, is_whole: bool = False) -> tuple[float, float]:
        """Look through the inbox; when to do so again at the earliest, and without a hint.

        Between two looks through all of it, only what changed or holds files is looked into.
        """
        if file_mark(self._settings.daemon.index) != self._index_mark:
            log.error("index_replaced")
            raise IndexLost(text("intake.index_replaced", index=self._settings.daemon.index))
        names = self._changes.take()
        if is_whole or self._inbox.is_away or time.monotonic() >= self._next_whole:
            names = None
        self._copies.look()
        self._retention.look()
        self._check.look()
        self._teller.look()
        await self._upkeep.look()
        await self._settling.look()
        await self._aside.look()
        began_at = time.monotonic()
        is_resting = await self._inbox.look(names)
        await settle(self._index, self._records)
        await queue.put_back_expired(self._index, self._owner)
        pause = TICK_SECONDS if is_resting else self._settings.daemon.reconcile_seconds
        ended_at = time.monotonic()
        if names is None:
            self._next_whole = ended_at + self._pause_after_whole(ended_at - began_at)
            await self._tell_blind()
            await self._inbox.remove_empty()
        return ended_at + LOOKING_SHARE * (ended_at - began_at), ended_at + pause

    def _pause_after_whole(self, took: float) -> float:
        is_told = not self._changes.is_blind and self._settings.daemon.watch == "events"
        return pause_after_whole(took, self._settings.daemon.reconcile_seconds, is_told)

    async def _tell_blind(self) -> None:
        """Where the system does not watch every folder, the System page says what it costs."""
        is_blind = int(self._changes.is_blind)
        if await queue.switch(self._index, "unwatched") != is_blind:
            await queue.set_switch(self._index, "unwatched", is_blind)

    def _next_look(self, earliest: float, next_look: float) -> float:
        """Looks wait a little for the scans, but not where there is nothing else to do."""
        return max(earliest, next_look) if self._scans.tasks else next_look

    async def _begin(self) -> bool:
        """Hand out drops to the free slots; whether any was."""
        if not await self._may_begin():
            return False
        hours = "" if self._once else self._settings.daemon.quiet_hours
        urgent_only = is_quiet(hours, datetime.now().time())
        return await self._scans.fill(urgent_only)

    async def _may_begin(self) -> bool:
        """Below the reserve nothing begins; it goes on by itself when there is room."""
        daemon = self._settings.daemon
        try:
            room = has_room(daemon.outbox, daemon.reserve_gb * 1e9)
        except OSError:
            room = True  # an outbox that is away is told of by whatever needs it
        if room is not self._has_room:
            self._has_room = room
            log.warning("disk_has_room" if room else "disk_low")
            await queue.set_switch(self._index, "disk_low", int(not room))
        return room

    async def _is_drained(self) -> bool:
        """Nothing waits any more but what cannot be read or written now, whoever tries."""
        if await self._is_held():
            return True
        waiting = await ledger.open_units(self._index)
        return waiting <= self._tally.stuck | self._inbox.unfinished

    async def _is_held(self) -> bool:
        """Whether a run with `once` ends though something waits: paused, or no room."""
        away = self._inbox.is_away
        held = away or not self._has_room or await queue.switch(self._index, "paused")
        return bool(self._once and held and await ledger.open_units(self._index))

    async def _pause(self, seconds: float, stop: asyncio.Event, is_hinted: bool) -> None:
        """Wait for a first hint, for a scan to end, or for the next look, whichever is first."""
        seconds = min(seconds, self._notifier.pause or seconds)
        events = [stop] if is_hinted else [stop, self._changes.event]
        waits = {asyncio.create_task(event.wait()) for event in events}
        done, _ = await asyncio.wait(
            waits | self._scans.tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for task in waits - done:
            task.cancel()

    async def _analyze(self, queued: QueuedDrop, slot: Slot, machines: Machines | None) -> None:
        job = Job(
            index=self._index,
            records=self._records,
            slot=slot,
            settings=self._settings.now,
            rules=analysis_rules(self._settings.model),
            queued=queued,
            turns=self._turns,
            filed=self._filed,
            machines=machines,
        )
        outcome = await scan_pipeline.process(job)
        if outcome is State.WAITING:
            self._resting.disturb(queued.drop.unit)
        self._tally.count(queued.drop.unit, outcome)
        await self._settling.look()
        await self._inbox.tidy(queued.drop_id)


@asynccontextmanager
async def open_service(settings: Settings | SettingsInForce, once: bool) -> AsyncIterator[Service]:
    """A daemon with its folders, its lock and both databases; `once`: it ends when drained.

    Raises AlreadyRunning, or RecordsDamaged before anything is written to damaged records.
    """
    in_force = settings if isinstance(settings, SettingsInForce) else SettingsInForce(settings)
    daemon = settings.daemon
    for folder in (daemon.inbox, daemon.outbox, daemon.index.parent):
        folder.mkdir(parents=True, exist_ok=True)
    aside = (daemon.inbox / os.fsdecode(name) for name in (REJECTED, DUPLICATES))
    share_with(daemon.group, (daemon.outbox, *aside))
    with only_one(daemon.index) as was_cut_off, only_one_in(daemon.inbox):
        await asyncio.to_thread(refuse_damaged, daemon.records, daemon.copies)
        clear_staging(daemon.outbox)
        async with AsyncExitStack() as stack:
            async with _start_extended() as notifier:
                await _find_index(daemon, notifier)
                index = await stack.enter_async_context(open_index(daemon.index))
                records = await stack.enter_async_context(open_records(daemon.records))
                await keep_mark(daemon.inbox, index)
                if was_cut_off:
                    await enter_unknown(daemon, index)
            machines = await stack.enter_async_context(
                far_machines(
                    in_force.now.workers,
                    in_force.model.weights_file,
                    lambda: in_force.daemon.allowance,
                    account_file(daemon),
                )
            )
            yield Service(in_force, index, records, once, machines)


async def _find_index(daemon: DaemonSettings, notifier: Notifier) -> None:
    """Make an index again that is damaged, or missing beside a full outbox."""
    if await asyncio.to_thread(is_damaged, daemon.index):
        log.warning("index_damaged")
    elif await is_lost(daemon):
        log.warning("index_lost")
    else:
        return clear_unfinished(daemon.index)
    await rebuild(daemon, notifier.progress)


@asynccontextmanager
async def _start_extended() -> AsyncIterator[Notifier]:
    """What comes before the service is ready may take hours: systemd is told to wait."""
    notifier = Notifier(os.environ)

    async def ask() -> None:
        while True:
            await asyncio.sleep(EXTEND_SECONDS / 4)
            notifier.extend()

    asking = asyncio.create_task(ask())
    try:
        yield notifier
    finally:
        asking.cancel()


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do it, but give it up as soon as there is a wish to stop."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return
    await task


async def run_daemon(settings: Settings | SettingsInForce, once: bool, stop: asyncio.Event) -> int:
    """Open everything and work; the exit code of `gliowatch run`."""
    async with open_service(settings, once) as service:
        log.info("started", extra={"pid": os.getpid()})
        result = await service.run(stop)
        log.info("stopped")
        return result
