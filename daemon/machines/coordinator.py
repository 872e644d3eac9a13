"""Who hands scans out to other machines: which machine gets one, and what its failure means.

A machine that fails costs the scan nothing: another one gets it at once. A scan on which two
machines failed is what fails, and costs one of its attempts. A machine that fails again and again
rests.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

from daemon.machines import dask_cluster, worker
from daemon.machines.activity_file import MachineSeen, write_account
from daemon.machines.compatibility import difference, release
from daemon.outputs.catalogue import text
from daemon.pipeline.worker_processes import Result, Values, WorkerFailed
from daemon.pipeline.worker_tasks import AnalysisRules, Order, order_of
from daemon.settings import Allowance
from daemon.settings.workers import WorkersSettings
from model.errors import GliowatchError, WeightsError
from model.inference.parcels import Answer, Parcel
from model.weights_config import about_weights

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # between two looks who is there
FREE_SECONDS = 0.1  # between two looks for a place that is just being freed
BACK_SECONDS = 20.0  # for which scans wait for machines that were there a moment ago
LAST_WORD_SECONDS = 3.0  # for what is still to be heard of a machine that has gone
WAY_SECONDS = 60.0  # for the two ways, beside what the scan itself may take
FAILURES_TO_REST, FIRST_REST, LONGEST_REST = 2, 30.0, 900.0  # in a row; seconds
THREADS = 16  # that wait for machines
MOST_LOST = 5  # times that a scan is taken from machines that went, until it is analyzed here
TWO = 2  # machines that fail on a scan are enough to blame the scan


class MachineFailed(GliowatchError):
    """Another machine did not do what it should; the scan is not to blame, as far as is known."""


class MachineLost(GliowatchError):
    """Another machine was stopped, or the way to it; nobody is to blame."""


@dataclass
class Machine:
    """Another machine, and all that is known of it. running: by ticket, the number of the drop."""

    name: str
    key: str = ""
    address: str = ""
    places: int = 0
    executor: Executor | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    running: dict[str, int] = field(default_factory=dict)
    scans: int = 0
    seconds: float = 0.0
    sent: int = 0
    received: int = 0
    failures: int = 0
    in_a_row: int = 0
    rests_until: float = 0.0
    refusal: str = ""

    @property
    def rests(self) -> bool:
        """Whether it gets nothing for a while."""
        return time.monotonic() < self.rests_until

    @property
    def is_usable(self) -> bool:
        """Whether it may get scans."""
        return self.executor is not None and not self.refusal and not self.rests

    @property
    def free(self) -> int:
        """Its places that nothing runs in."""
        return self.places - len(self.running)

    def blame(self) -> None:
        """It failed once more."""
        self.failures += 1
        self.in_a_row += 1
        if self.in_a_row >= FAILURES_TO_REST:
            rest = min(FIRST_REST * 2.0 ** (self.in_a_row - FAILURES_TO_REST), LONGEST_REST)
            self.rests_until = time.monotonic() + rest
            log.warning("machine_rests", extra={"machine": self.name, "seconds": rest})

    def forgive(self) -> None:
        """It was the scan that failed."""
        self.in_a_row = max(0, self.in_a_row - 1)
        if self.in_a_row < FAILURES_TO_REST:
            self.rests_until = 0.0

    def seen(self) -> MachineSeen:
        """For the account."""
        return MachineSeen(
            name=self.name,
            is_there=self.executor is not None,
            places=self.places,
            running=tuple(self.running.values()),
            scans=self.scans,
            seconds=round(self.seconds, 1),
            failures=self.failures,
            sent=self.sent,
            received=self.received,
            rests=self.rests,
            refusal=self.refusal,
        )


class FarMachines:
    """All machines that report at one address; `running.Machines` as the pipeline asks for it."""

    def __init__(
        self,
        workers: WorkersSettings,
        weights: Path | None,
        allowance: Callable[[], Allowance],
        account: Path | None = None,
    ) -> None:
        """weights: the file, None for those shipped; account: where pages find what is done."""
        self._workers, self._weights_file, self._allowance = workers, weights, allowance
        self._account = account
        self._written: tuple[MachineSeen, ...] | None = None
        self._machines: dict[str, Machine] = {}
        self._connection: dask_cluster.Connection | None = None
        self._there_at = float("-inf")  # when a usable machine was there
        self._weights_sha256 = ""
        self._threads = ThreadPoolExecutor(THREADS, "machines")
        self.here = asyncio.Lock()

    @property
    def places(self) -> int:
        """How many scans may be on them at the same time."""
        return sum(each.places for each in self._machines.values() if each.is_usable)

    def seen(self) -> tuple[MachineSeen, ...]:
        """What each has done, by name."""
        return tuple(self._machines[name].seen() for name in sorted(self._machines))

    @asynccontextmanager
    async def reached(self) -> AsyncIterator[None]:
        """Keep looking who is there, as long as the context is open. Raises WeightsError."""
        weights = await asyncio.to_thread(about_weights, self._weights_file)
        if weights is None:
            raise WeightsError(text("weights.missing"))
        self._weights_sha256 = weights.sha256
        looking = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
            await self._disconnect()
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._write()

    async def analyze(
        self, number: int, parcels: Callable[[int], Awaitable[Parcel | None]], rules: AnalysisRules
    ) -> tuple[Answer, ...]:
        """As the pipeline's `Machines` promises it."""
        order = order_of(rules, self._weights_sha256)
        answers: list[Answer] = []
        while (parcel := await parcels(len(answers))) is not None:
            answer = await self._analyze_one(number, parcel, order)
            if answer is None:
                return ()
            answers.append(answer)
            if not answer.is_refusal:
                break
        return tuple(answers)

    async def _analyze_one(self, number: int, parcel: Parcel, order: Order) -> Answer | None:
        """On one machine after the other; None where none is left. Raises WorkerFailed."""
        failed: list[Machine] = []
        lost = 0
        while lost < MOST_LOST and (machine := await self._free_machine(failed)) is not None:
            try:
                answer = await self._analyze_on(machine, number, parcel, order)
            except MachineLost:
                log.warning("machine_lost", extra={"machine": machine.name, "drop": number})
                lost += 1
            except MachineFailed as error:
                log.warning("machine_failed", extra={"machine": machine.name, "drop": number})
                machine.blame()
                failed.append(machine)
                if len(failed) == TWO:
                    for each in failed:
                        each.forgive()
                    raise WorkerFailed(str(error)) from None
            else:
                machine.in_a_row = 0
                return answer
        return None

    async def _free_machine(self, failed: list[Machine]) -> Machine | None:
        """The usable machine with most free places; None where none is there for this scan."""
        while True:
            usable = [each for each in self._machines.values() if each.is_usable]
            if usable:
                self._there_at = time.monotonic()
            others = [each for each in usable if each not in failed]
            free = [each for each in others if each.free > 0]
            if free:
                return max(free, key=lambda each: each.free)
            if not others and (failed or time.monotonic() - self._there_at > BACK_SECONDS):
                return None
            await asyncio.sleep(FREE_SECONDS)

    async def _analyze_on(
        self, machine: Machine, number: int, parcel: Parcel, order: Order
    ) -> Answer:
        """Raises MachineFailed or MachineLost. Given up here, it is given up there as well."""
        ticket, allowance = secrets.token_hex(8), self._allowance()
        executor, address, gone = machine.executor, machine.address, machine.gone
        assert executor is not None, "it was chosen since it is there"
        machine.running[ticket] = number
        machine.sent += len(parcel.voxels.packed)
        try:
            future = await self._sent(executor, ticket, parcel, order, allowance)
            said = await _heard(future, allowance.seconds + WAY_SECONDS, gone)
        except (asyncio.CancelledError, MachineFailed, MachineLost) as error:
            if isinstance(error, MachineLost) and machine.gone is gone:
                _part_from(machine)  # if it is there after all, the next look finds it
            await self._give_up(address, ticket)
            raise
        finally:
            machine.running.pop(ticket, None)
        if isinstance(said, worker.Failed):
            raise MachineFailed(said.sentence)
        if said.weights_sha256 != order.weights_sha256:
            raise MachineFailed(text("machines.other_weights"))
        machine.scans += 1
        machine.seconds += said.seconds
        machine.received += said.size
        return said

    async def _sent(
        self, executor: Executor, ticket: str, parcel: Parcel, order: Order, allowance: Allowance
    ) -> "Future[Answer | worker.Failed]":
        """Raises MachineLost where the way is closed."""
        try:
            # a worker awaits what a coroutine function gives, which no Executor promises
            there = cast(Callable[..., Answer | worker.Failed], worker.analyze_there)
            values = (ticket, parcel, order, allowance)
            return await self._blocking(lambda: executor.submit(there, *values))
        except Exception as error:  # the library's own kinds
            raise MachineLost(text("machines.lost")) from error

    async def _blocking(
        self, work: Callable[Values, Result], *values: Values.args, **named: Values.kwargs
    ) -> Result:
        """In a thread of our own: what waits for a machine that hangs holds up nothing else."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(work, *values, **named))

    async def _give_up(self, address: str, ticket: str) -> None:
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(Exception):  # it has a limit of its own, whatever happens
                await asyncio.wait_for(
                    self._blocking(connection.tell, address, worker.give_up, ticket),
                    LAST_WORD_SECONDS,
                )

    async def _keep_looking(self) -> None:
        while True:
            try:
                if self._connection is None or not self._connection.is_open:
                    await self._disconnect()
                    self._connection = await self._blocking(dask_cluster.Connection, self._workers)
                await self._look(self._connection)
                self._write()
            except Exception as error:  # away, or the library's own; it is tried again for ever
                log.warning("machines_not_reached", extra={"reason": type(error).__name__})
                await self._disconnect()
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, connection: dask_cluster.Connection) -> None:
        """Who has come, and who has gone."""
        async with asyncio.timeout(dask_cluster.CONTROL_SECONDS):
            found = await self._blocking(connection.workers)
        there = {each.key for each in found}
        known = {each.key for each in self._machines.values()}
        for machine in self._machines.values():
            if machine.key and machine.key not in there:
                _part_from(machine)
        new = [each for each in found if each.key not in known]
        await asyncio.gather(*(self._greet(connection, each) for each in new))

    async def _greet(self, connection: dask_cluster.Connection, seen: dask_cluster.Seen) -> None:
        """Ask a worker what it is, and send it the weights that it lacks."""
        machine = self._machine_for(seen)
        if machine.rests:
            return
        machine.key, machine.address, machine.places = seen.key, seen.address, seen.places
        machine.refusal, machine.gone = "", asyncio.Event()
        try:
            await self._make_ready(connection, machine)
            machine.executor = connection.executor(seen.address)
            log.info("machine_came", extra={"machine": machine.name, "places": machine.places})
        except (AttributeError, ImportError, TypeError):  # it does not know what is asked of it
            machine.refusal = text("machines.unknown_version")
        except GliowatchError as error:
            machine.refusal = str(error)
        except Exception as error:  # its disk is full, or it has gone again
            log.warning("machine_failed", extra={"reason": type(error).__name__})
            machine.key = ""  # it is asked again
            machine.blame()
        if machine.refusal:
            log.warning("machine_refused", extra={"machine": machine.name})
            with contextlib.suppress(Exception):  # what it says to it is for its own terminal
                await self._blocking(connection.tell, seen.address, worker.refuse, machine.refusal)

    async def _make_ready(self, connection: dask_cluster.Connection, machine: Machine) -> None:
        """Raises MachineFailed where it may not analyze, and whatever it raises itself."""
        about = await self._blocking(connection.tell, machine.address, worker.about)
        if why := difference(release(), about.release):
            raise MachineFailed(why)
        if self._weights_sha256 in about.weights or self._weights_file is None:
            return
        content = await asyncio.to_thread(self._weights_file.read_bytes)
        machine.sent += len(content)
        sha256, suffix = self._weights_sha256, self._weights_file.suffix
        take = partial(connection.tell, machine.address, worker.take_weights)
        if not await self._blocking(take, sha256, suffix, content):
            raise MachineFailed(text("machines.other_weights"))

    def _machine_for(self, seen: dask_cluster.Seen) -> Machine:
        """That of this name which is not there; a machine may start several workers."""
        name = seen.name.rpartition("/")[0] or seen.name
        number, candidate = 1, name
        while candidate in self._machines and self._machines[candidate].key:
            number += 1
            candidate = f"{name}-{number}"
        return self._machines.setdefault(candidate, Machine(candidate))

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        for machine in self._machines.values():
            _part_from(machine)
        if connection is not None:
            with contextlib.suppress(Exception):  # it was away already
                await self._blocking(connection.close)

    def _write(self) -> None:
        seen = self.seen()
        if self._account is None or seen == self._written:
            return
        with contextlib.suppress(OSError):  # an account for people; the next look tries again
            write_account(self._account, seen)
            self._written = seen


def _part_from(machine: Machine) -> None:
    machine.executor, machine.key = None, ""
    machine.gone.set()


async def _heard(
    future: "Future[Answer | worker.Failed]", seconds: float, gone: asyncio.Event
) -> "Answer | worker.Failed":
    """What comes of it. Raises MachineFailed, or MachineLost where it was taken away."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def end(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(ended.set)

    future.add_done_callback(end)
    waits = [asyncio.create_task(ended.wait()), asyncio.create_task(gone.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if gone.is_set() and not future.done():
            await asyncio.wait(waits[:1], timeout=LAST_WORD_SECONDS)
    finally:
        for wait in waits:
            wait.cancel()
        is_heard = future.done()
        future.cancel()
    if future.cancelled() and (is_heard or gone.is_set()):  # by the end of what carries it
        raise MachineLost(text("machines.lost"))
    if future.cancelled():
        raise MachineFailed(text("machines.no_answer"))
    if (error := future.exception()) is not None:
        raise MachineFailed(text("machines.died")) from error
    return future.result()


@asynccontextmanager
async def far_machines(
    workers: WorkersSettings,
    weights: Path | None,
    allowance: Callable[[], Allowance],
    account: Path | None = None,
) -> AsyncIterator[FarMachines | None]:
    """The machines of the settings; None where there are none, and then nothing is loaded."""
    if not workers.on:
        yield None
        return
    machines = FarMachines(workers, weights, allowance, account)
    async with machines.reached():
        yield machines
