"""A claimed drop with all that it needs, keyed locks, and the scans that run now, one a slot."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

from daemon.confinement import bounds_of_scans
from daemon.drops import UNASSIGNED, QueuedDrop, shown_id
from daemon.index import ledger, queue
from daemon.index.database import Database
from daemon.index.people.patients import patients_by_id
from daemon.intake.file_stability import Filed
from daemon.intake.ingest import Intake
from daemon.outputs.catalogue import text
from daemon.pipeline import worker_tasks
from daemon.pipeline.worker_processes import Result, Slot, Values
from daemon.pipeline.worker_tasks import AnalysisRules, Circumstances
from daemon.report import Report
from daemon.settings import Settings
from model.inference.parcels import Answer, Parcel
from model.reading.dicom.patient_tags import Identity
from model.volume import Note


class KeyedLocks:
    """A lock for each key that somebody holds or waits for, and none for any other."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, *keys: str) -> AsyncIterator[None]:
        """Hold these keys; whoever comes second for one of them waits until the first has ended."""
        async with AsyncExitStack() as held:
            for key in sorted(set(keys)):  # all in one order, so that no two wait for each other
                await held.enter_async_context(self._locks.setdefault(key, asyncio.Lock()))
            yield


class Machines(Protocol):
    """Other machines that analyze. here: held by whoever does it here in their place."""

    here: asyncio.Lock

    @property
    def places(self) -> int:
        """How many scans may be on them at the same time, as they are now."""

    async def analyze(
        self, number: int, parcels: Callable[[int], Awaitable[Parcel | None]], rules: AnalysisRules
    ) -> tuple[Answer, ...]:
        """What they say of a scan's volumes, up to the first that one could analyze.

        number: of the drop; parcels: gives its volumes, from 0, None after the last. Empty where
        none of them can be asked, or the one that could has failed: it is analyzed here then.
        Raises WorkerFailed where two of them have failed, since then it is the scan.
        """


class InWorker(Protocol):
    """Runs a function in a slot's process, as Slot.run does."""

    async def __call__(
        self, function: Callable[Values, Result], *values: Values.args, **named: Values.kwargs
    ) -> Result:
        """What the function gives."""


ScanToAnalyze = tuple[Path, str, Intake, AnalysisRules, tuple[Note, ...], Circumstances]


async def analyze_elsewhere(
    machines: Machines, run: InWorker, number: int, scan: ScanToAnalyze
) -> Report:
    """Read here, analyze on another machine, write here; all of it here where none can do it.

    scan: what `worker_tasks.analyze_into` takes.
    """
    staging, _, intake, rules, notes, known = scan

    async def parcel(volume: int) -> Parcel | None:
        return await run(
            worker_tasks.parcel_of, volume, staging, intake, rules, notes=notes, known=known
        )

    answers = await machines.analyze(number, parcel, rules)
    if answers:
        return await run(worker_tasks.analyze_into, *scan, answers=answers)
    async with machines.here:
        return await run(worker_tasks.analyze_into, *scan)


@dataclass(frozen=True)
class Job:
    """A drop that is this worker's, the databases, the slot for its work, and the settings.

    turns: by content and PatientID, so that of two patients' same scans, or of one patient's scans
    under two folders, the second knows of the first. filed: the files that lie under their patient.
    machines: where its analysis goes, None for here.
    """

    index: Database
    records: Database
    slot: Slot
    settings: Settings
    rules: worker_tasks.AnalysisRules
    queued: QueuedDrop
    turns: KeyedLocks
    filed: Filed
    machines: Machines | None = None

    async def in_worker(
        self, function: Callable[Values, Result], *values: Values.args, **named: Values.kwargs
    ) -> Result:
        """Run a function of `worker_tasks` in the slot's process, within what is allowed."""
        return await self.slot.run(self.settings.daemon.allowance, function, *values, **named)

    async def analyzed(
        self, staging: Path, intake: Intake, notes: tuple[Note, ...], known: Circumstances
    ) -> Report:
        """As worker_tasks.analyze_into does it, wherever the network runs."""
        number, patient_id = self.queued.drop_id, self.queued.drop.patient_id
        scan = (staging, patient_id, intake, self.rules, notes, known)
        if self.machines is None:
            return await self.in_worker(worker_tasks.analyze_into, *scan)
        return await analyze_elsewhere(self.machines, self.in_worker, number, scan)

    @property
    def asked(self) -> datetime | None:
        """When the drop came, or was asked for."""
        return datetime.fromisoformat(self.queued.seen_at) if self.queued.seen_at else None

    async def entered(self) -> Identity | None:
        """What people entered about the drop's patient, if anything; `unassigned` is nobody."""
        patient_id = self.queued.drop.patient_id
        found = await patients_by_id(self.records, [patient_id])
        if patient_id == UNASSIGNED or patient_id not in found:
            return None
        known = found[patient_id]
        return Identity(shown_id(patient_id), known.name, known.birth_date, known.gender)


LOOK_SECONDS = 1.0  # between two looks for a wish to cancel, while something runs
Analyzer = Callable[[QueuedDrop, Slot, Machines | None], Coroutine[Any, Any, None]]


class RunningScans:
    """Slots, each with the drop that it works on."""

    def __init__(
        self,
        index: Database,
        settings: Settings,
        owner: str,
        analyze: Analyzer,
        machines: Machines | None = None,
    ) -> None:
        self._index, self._owner, self._analyze = index, owner, analyze
        self._machines = machines
        bounds = bounds_of_scans(settings)
        self._free = [Slot(bounds) for _ in range(settings.daemon.slots)]
        self._far = [Slot(bounds) for _ in range(settings.workers.slots if machines else 0)]
        self._afar = frozenset(self._far)  # what these read and write, other machines analyze
        self._at_work: dict[asyncio.Task[None], tuple[QueuedDrop, Slot]] = {}
        self._next_beat = 0.0

    @property
    def first_slot(self) -> Slot:
        """The free slot that gets the next scan, to warm it up before the first one."""
        return self._free[-1]

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """What may be waited for: each ends with its scan."""
        return set(self._at_work)

    async def fill(self, urgent_only: bool) -> bool:
        """Take back the slots that have ended, and give every free one a drop; if any was begun."""
        await self._collect()
        await self._keep()
        began = False
        while (slot := self._next_slot()) is not None:
            queued = await queue.claim_next(self._index, self._owner, urgent_only=urgent_only)
            if queued is None:
                self._give_back(slot)
                break
            machines = self._machines if slot in self._afar else None
            task = asyncio.create_task(self._analyze(queued, slot, machines))
            self._at_work[task] = (queued, slot)
            began = True
        return began

    def _next_slot(self) -> Slot | None:
        """A free one, that which worked last: its network is loaded. None: all are at work."""
        if self._free:
            return self._free.pop()
        is_room = self._machines and len(self._afar) - len(self._far) < self._machines.places
        return self._far.pop() if self._far and is_room else None

    def _give_back(self, slot: Slot) -> None:
        (self._far if slot in self._afar else self._free).append(slot)

    async def patience(self) -> float:
        """Seconds until it should be looked at again: for wishes, or for a retry that is due."""
        if self._at_work:
            return LOOK_SECONDS
        due = await queue.seconds_to_next(self._index)
        return LOOK_SECONDS if due is None else max(0.05, min(due, LOOK_SECONDS))

    async def close(self) -> None:
        """End all processes at once; what they worked on waits again, as if never begun."""
        for task in self._at_work:
            task.cancel()
        for task, (queued, _) in self._at_work.items():
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await ledger.put_back(self._index, queued, rested=True, count_attempt=False)
        for slot in [*self._free, *self._far, *(slot for _, slot in self._at_work.values())]:
            slot.close()

    async def _collect(self) -> None:
        for task in [task for task in self._at_work if task.done()]:
            _, slot = self._at_work.pop(task)
            self._give_back(slot)
            await task  # an error that is nobody's fault but ours ends the daemon

    async def _keep(self) -> None:
        """Show that we live, and end what somebody wants to end."""
        if not self._at_work:
            return
        if time.monotonic() >= self._next_beat:
            await queue.beat(self._index, self._owner, queue.LEASE_SECONDS)
            self._next_beat = time.monotonic() + queue.LEASE_SECONDS / 3
        wanted = await queue.asked_to_cancel(self._index)
        for task, (queued, slot) in list(self._at_work.items()):
            if queued.drop_id in wanted and not task.done():
                await self._cancel(task, queued, slot)

    async def _cancel(self, task: asyncio.Task[None], queued: QueuedDrop, slot: Slot) -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        del self._at_work[task]
        self._give_back(slot)
        with contextlib.suppress(ledger.LeaseLost):  # it ended at the last moment
            await ledger.reject(self._index, queued, text("intake.cancelled"))
