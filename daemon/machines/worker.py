"""`gliowatch worker`: this machine analyzes for another one, until it is stopped.

Its slots are as the daemon's own: a process each, with limits of time and memory. The functions
that the other machine calls are found by their names; they stay what they are in later versions,
so that an older machine can be told that it is one.
"""

import asyncio
import contextlib
import hashlib
import os
import signal
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.background import wish_to_stop
from daemon.machines import dask_cluster
from daemon.machines.compatibility import release
from daemon.outputs.catalogue import text
from daemon.pipeline.worker_processes import Slot
from daemon.pipeline.worker_tasks import Order, analyze_parcel
from daemon.settings import Allowance
from daemon.settings.workers import WorkersSettings
from model.errors import GliowatchError
from model.inference.parcels import Answer, Parcel
from model.weights_config import about_weights

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0  # seconds, before it reports again


class WorkerRefused(GliowatchError):
    """The other machine does not let this one analyze; the sentence says why."""


@dataclass(frozen=True)
class About:
    """What a worker tells of itself. weights: SHA-256 of those that it has."""

    release: dict[str, str]
    weights: tuple[str, ...]


@dataclass(frozen=True)
class Failed:
    """A scan that came to nothing on this machine, in a sentence."""

    sentence: str


class Place:
    """The slots of this process, and the weights that were sent to it."""

    def __init__(self, slots: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="gliowatch-worker-")
        self._free = asyncio.Queue[Slot]()
        for _ in range(slots):
            self._free.put_nowait(Slot())
        self._threads = max(1, (os.cpu_count() or 1) // slots)
        self._running: dict[str, asyncio.Task[Answer]] = {}
        shipped = about_weights()
        self._weights: dict[str, Path | None] = {shipped.sha256: None} if shipped else {}
        self.refusal = ""
        self.refused = asyncio.Event()

    @property
    def folder(self) -> Path:
        """For what does not outlive this process."""
        return Path(self._folder.name)

    def about(self) -> About:
        """Which release, and which weights."""
        return About(release(), tuple(self._weights))

    def take(self, sha256: str, suffix: str, content: bytes) -> bool:
        """Keep weights; False where they are not those that were promised. Raises OSError."""
        if hashlib.sha256(content).hexdigest() != sha256:
            return False
        file = self.folder / f"{sha256}{suffix}"
        file.write_bytes(content)
        self._weights[sha256] = file
        return True

    async def analyze(
        self, ticket: str, parcel: Parcel, order: Order, allowance: Allowance
    ) -> Answer | Failed:
        """In a slot, within the limits."""
        slot = await self._free.get()
        try:
            weights = self._weights[order.weights_sha256]
            self._running[ticket] = asyncio.create_task(
                slot.run(allowance, analyze_parcel, parcel, order, weights, self._threads)
            )
            return await self._running[ticket]
        except GliowatchError as error:
            return Failed(str(error))
        except asyncio.CancelledError:  # the scan was given up, and nobody waits for it
            return Failed(text("machines.given_up"))
        except Exception as error:  # what a library raises may quote anything: its kind is enough
            return Failed(text("machines.unexpected", kind=type(error).__name__))
        finally:
            self._running.pop(ticket, None)
            self._free.put_nowait(slot)

    def give_up(self, ticket: str) -> None:
        """End a scan at once."""
        if ticket in self._running:
            self._running[ticket].cancel()

    def refuse(self, sentence: str) -> None:
        """The other machine will not have us."""
        self.refusal = sentence
        self.refused.set()

    def close(self) -> None:
        """End all processes."""
        while not self._free.empty():
            self._free.get_nowait().close()
        for task in self._running.values():
            task.cancel()
        self._folder.cleanup()


_places: list[Place] = []  # none or one: that of this process


def _place() -> Place:
    """That of `gliowatch worker`; under another starter `about`, asked first, has made it."""
    return _places[0]


def about(dask_worker: object) -> About:
    """What the other machine asks first."""
    if not _places:
        slots = dask_worker.state.nthreads  # type: ignore[attr-defined]  # the library's worker
        _places.append(Place(slots))
    return _place().about()


def take_weights(sha256: str, suffix: str, content: bytes) -> bool:
    """Weights that this machine lacks, sent once."""
    return _place().take(sha256, suffix, content)


async def analyze_there(
    ticket: str, parcel: Parcel, order: Order, allowance: Allowance
) -> Answer | Failed:
    """The one function that is worth a journey."""
    return await _place().analyze(ticket, parcel, order, allowance)


def give_up(ticket: str) -> None:
    """A scan that nobody waits for any more."""
    _place().give_up(ticket)


def refuse(sentence: str) -> None:
    """This machine may not analyze."""
    _place().refuse(sentence)


def run_worker(
    workers: WorkersSettings,
    name: str,
    listen: tuple[str | None, int],
    say: Callable[[str], object],
) -> None:
    """Work until SIGTERM or Ctrl-C. Raises WorkerRefused."""
    asyncio.run(_work(workers, name, listen, say))


async def _work(
    workers: WorkersSettings,
    name: str,
    listen: tuple[str | None, int],
    say: Callable[[str], object],
) -> None:
    stop, pause, is_told = wish_to_stop(), FIRST_PAUSE, False
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    while not stop.is_set():
        place = Place(workers.slots)
        _places[:] = [place]
        full_name = f"{name}/{os.urandom(4).hex()}"  # the library wants another one each time
        try:
            async with dask_cluster.worker(workers, full_name, place.folder, listen) as worker:
                say(text("machines.reports", address=workers.address, slots=workers.slots))
                pause, is_told = FIRST_PAUSE, False
                await _first(worker.finished(), stop.wait(), place.refused.wait())
        except (OSError, RuntimeError, TimeoutError):
            if not is_told:
                say(text("machines.not_reached", address=workers.address))
            is_told = True
        finally:
            place.close()
        if place.refusal:
            raise WorkerRefused(place.refusal)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
        pause = min(2 * pause, LONGEST_PAUSE)


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until one of them is over."""
    tasks = [asyncio.create_task(each) for each in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
