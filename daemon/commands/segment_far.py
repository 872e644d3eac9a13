"""`gliowatch segment --workers`: many scans by other machines, without a daemon; it may be begun
again, and goes on where it was ended."""

import asyncio
import hashlib
import json
import logging
import multiprocessing
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from daemon.commands.segment import Analyzed, as_drop, print_table
from daemon.drops import Drop
from daemon.logs import quiet_libraries
from daemon.machines.activity_file import MachineSeen
from daemon.machines.coordinator import FarMachines
from daemon.machines.scheduler import serve
from daemon.operations.machine import free_port, worker_faults
from daemon.outputs.catalogue import text
from daemon.pipeline.outbox import publish, published_report
from daemon.pipeline.running_scans import analyze_elsewhere
from daemon.pipeline.worker_processes import Result, Slot, Values
from daemon.pipeline.worker_tasks import ALONE, AnalysisRules, receive
from daemon.report import Report
from daemon.safe_files import only_one_at
from daemon.settings import Allowance, SettingsError
from daemon.settings.workers import WorkersSettings
from model.errors import GliowatchError
from model.weights_config import about_weights

JOURNAL, LOCK, STAGING = ".segment.jsonl", ".segment.lock", ".staging-far"
LOOK_SECONDS = 0.2  # between two looks for a free place on another machine


@dataclass(frozen=True)
class ManyScans:
    """What to analyze and how. target: where the folders of the results go."""

    scans: tuple[Path, ...]
    target: Path
    patient_id: str
    rules: AnalysisRules
    allowance: Allowance


class Journal:
    """A line for each scan that is done, so that it is not done again: by its files and rules."""

    def __init__(self, target: Path) -> None:
        self._file = target / JOURNAL
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        self._done = dict(entry for line in lines for entry in _entries(line))

    def scan_id(self, key: str) -> str:
        """Of what was done under this key; '' if nothing was."""
        return self._done.get(key, "")

    def note(self, key: str, scan_id: str) -> None:
        """It is published."""
        with self._file.open("a") as stream:
            stream.write(f"{json.dumps({'key': key, 'scan_id': scan_id})}\n")


def _entries(line: str) -> Iterator[tuple[str, str]]:
    """What a line says; nothing where a kill came while it was written."""
    try:
        content = json.loads(line)
        yield content["key"], content["scan_id"]
    except (ValueError, KeyError, TypeError):
        return


def far_workers(settings: WorkersSettings, address: str) -> WorkersSettings:
    """The address that was typed, with the certificates of the settings. Raises SettingsError."""
    workers = settings.model_copy(update={"address": address})
    if why := workers.wrong():
        raise SettingsError(f"--workers: {why}.")
    if fault := next(worker_faults(workers), None):
        raise SettingsError(fault.sentence)
    return workers


def segment_far(
    many: ManyScans, workers: WorkersSettings, say: Callable[[str], object], as_json: bool
) -> list[Analyzed]:
    """Analyze them on the machines that report at the address; what became of each, in order.

    Where nothing listens at the address, this process does. Raises GliowatchError.
    """
    quiet_libraries()
    logging.getLogger("daemon").addHandler(logging.NullHandler())  # the table tells of failures
    many.target.mkdir(parents=True, exist_ok=True)
    with only_one_at(many.target / LOCK), _listening(workers):
        shutil.rmtree(many.target / STAGING, ignore_errors=True)
        done, machines, seconds = asyncio.run(_Run(many, workers).all())
    if not as_json:
        _print_summary(done, machines, seconds, say)
    return done


@contextmanager
def _listening(workers: WorkersSettings) -> Iterator[None]:
    """Machines can report there: to what listens already, or to a process of ours."""
    place = workers.place
    try:
        free_port(place.hostname or "", place.port or 0)
    except OSError:  # it is another machine's address, or something listens
        yield
        return
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(workers,))
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


class _Run:
    """One call: as many scans at a time as the other machines have places."""

    def __init__(self, many: ManyScans, workers: WorkersSettings) -> None:
        self._many, self._workers = many, workers
        self._scans = [(str(scan), scan.resolve()) for scan in many.scans]
        self._machines = FarMachines(workers, many.rules.weights, lambda: many.allowance)
        self._journal = Journal(many.target)
        weights = about_weights(many.rules.weights)
        self._with = (weights.sha256 if weights else "", many.patient_id)
        self._busy = 0

    async def all(self) -> tuple[list[Analyzed], tuple[MachineSeen, ...], float]:
        """What became of each; what each machine did; how long it took, in seconds."""
        from rich.console import Console
        from rich.progress import Progress

        loop = asyncio.get_running_loop()
        began, scans = loop.time(), self._scans
        done: dict[int, Analyzed] = {}
        left = iter(enumerate(scans))
        console = Console(stderr=True)
        async with self._machines.reached():
            with Progress(console=console, disable=not console.is_terminal) as progress:
                bar = progress.add_task("scans", total=len(scans))

                async def take_turns() -> None:
                    slot = Slot()
                    try:
                        for number, (typed, scan) in left:
                            done[number] = await self._one(number, typed, scan, slot)
                            progress.advance(bar)
                    finally:
                        slot.close()

                try:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(min(self._workers.slots, len(scans))):
                            group.create_task(take_turns())
                except ExceptionGroup as several:
                    raise several.exceptions[0] from None
        seen = self._machines.seen()
        return [done[number] for number in range(len(scans))], seen, loop.time() - began

    async def _one(self, number: int, typed: str, scan: Path, slot: Slot) -> Analyzed:
        try:
            drop = as_drop(scan, self._many.patient_id)
            key = self._key(scan, drop)
            scan_id = self._journal.scan_id(key)
            before = (
                published_report(self._many.target, Path(scan_id), scan_id) if scan_id else None
            )
            if before is not None:
                return Analyzed(typed, before, self._many.target / scan_id, None)
            while self._machines.places <= self._busy:  # noqa: ASYNC110 - machines come and go
                await asyncio.sleep(LOOK_SECONDS)
            self._busy += 1
            try:
                report = await self._analyze(number, scan, drop, slot)
            finally:
                self._busy -= 1
            self._journal.note(key, report.scan_id)
            return Analyzed(typed, report, self._many.target / report.scan_id, None)
        except GliowatchError as error:
            return Analyzed(typed, None, None, str(error))
        except PermissionError:
            return Analyzed(typed, None, None, text("measured.not_readable"))
        except OSError:  # a full disk is no fault of the scan: all of it ends, and may go on later
            raise
        except Exception:  # hostile bytes raise many kinds, and thousands of scans wait
            return Analyzed(typed, None, None, text("intake.not_processed"))

    async def _analyze(self, number: int, scan: Path, drop: Drop, slot: Slot) -> Report:
        many = self._many
        staging = many.target / STAGING / str(number) / "scan"
        staging.parent.mkdir(parents=True)

        async def run(
            function: Callable[Values, Result], *values: Values.args, **named: Values.kwargs
        ) -> Result:
            return await slot.run(many.allowance, function, *values, **named)

        try:
            intake = await run(receive, scan.parent, drop, staging)
            work = (staging, many.patient_id, intake, many.rules, (), ALONE)
            report = await analyze_elsewhere(self._machines, run, number, work)
            folder = many.target / intake.scan_id
            shutil.rmtree(folder, ignore_errors=True)
            publish(staging, folder)
        finally:
            shutil.rmtree(staging.parent, ignore_errors=True)
        return report

    def _key(self, scan: Path, drop: Drop) -> str:
        """Of the files as they are now, the weights and the rules."""
        rules = replace(self._many.rules, weights=None, threads=0)
        told = repr((str(scan), drop.files, self._with, rules))
        return hashlib.sha256(told.encode()).hexdigest()


def _print_summary(
    done: list[Analyzed],
    machines: tuple[MachineSeen, ...],
    seconds: float,
    say: Callable[[str], object],
) -> None:
    """What came of all scans, and what each machine did."""
    found = Counter(each.report.finding if each.report else "failed" for each in done)
    content: dict[str, Any] = {"scans": len(done), **dict(sorted(found.items()))}
    content["seconds"] = round(seconds, 1)
    content["machines"] = [
        {
            "machine": each.name,
            "scans": each.scans,
            "seconds a scan": round(each.seconds / each.scans, 1) if each.scans else "",
            "failures": each.failures,
            "MB sent": round(each.sent / 1e6, 1),
            "MB received": round(each.received / 1e6, 1),
            "refused": each.refusal,
        }
        for each in machines
    ]
    print_table(content, False, say)
