"""A worker that dies or hangs costs one attempt, and the next scan finds a fresh one."""

import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.pipeline.worker_processes import Slot, WorkerDied, WorkerHung, WorkerTooLarge
from daemon.settings import Allowance, Settings
from tests.conftest import SAMPLES, reasons, reports, running_daemon, until

ALLOWED = Allowance(30, 4_000_000_000)


@pytest.fixture
async def slot() -> AsyncIterator[Slot]:
    made = Slot()
    yield made
    made.close()


async def test_a_slot_gives_what_the_work_gives_and_keeps_its_process(slot: Slot) -> None:
    first, second = await slot.run(ALLOWED, os.getpid), await slot.run(ALLOWED, os.getpid)
    assert first == second != os.getpid()


async def test_an_error_of_the_work_comes_through(slot: Slot) -> None:
    with pytest.raises(ZeroDivisionError):
        await slot.run(ALLOWED, divmod, 1, 0)


async def test_a_worker_that_dies_is_replaced(slot: Slot) -> None:
    before = await slot.run(ALLOWED, os.getpid)
    with pytest.raises(WorkerDied):
        await slot.run(ALLOWED, os._exit, 1)
    assert await slot.run(ALLOWED, os.getpid) != before


async def test_a_worker_that_hangs_is_killed_and_replaced(slot: Slot) -> None:
    before = await slot.run(ALLOWED, os.getpid)
    with pytest.raises(WorkerHung):
        await slot.run(replace(ALLOWED, seconds=0.3), time.sleep, 60)
    await until(lambda: _has_ended(before))
    assert await slot.run(ALLOWED, os.getpid) != before


async def test_a_worker_that_hangs_while_it_starts_is_killed_too(
    slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.pipeline.worker_processes._begin", _begin_for_ever)
    with pytest.raises(WorkerHung):
        await slot.run(replace(ALLOWED, seconds=0.5), time.sleep, 60)
    await until(lambda: not _spawned(), seconds=120)


def _begin_for_ever(*_: object) -> None:
    time.sleep(60)


def _spawned() -> list[Path]:
    """Processes that this one spawned as workers, those that have ended left out."""
    mine = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    lines = [Path("/proc", pid, "cmdline") for pid in mine]
    return [line for line in lines if line.exists() and b"spawn_main" in line.read_bytes()]


async def test_a_worker_that_takes_too_much_memory_is_killed_and_replaced(slot: Slot) -> None:
    before = await slot.run(ALLOWED, os.getpid)
    with pytest.raises(WorkerTooLarge, match="memory"):
        await slot.run(replace(ALLOWED, memory_bytes=600_000_000), _hold, 900_000_000)
    await until(lambda: _has_ended(before))
    assert await slot.run(ALLOWED, os.getpid) != before


def _hold(count: int) -> None:
    held = b"x" * count
    time.sleep(20)
    assert held


def _has_ended(pid: int) -> bool:
    """Gone, or dead and not yet collected; it may go while it is looked at."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.long
async def test_scans_go_on_when_the_worker_is_killed_again_and_again(hospital: Settings) -> None:
    async with running_daemon(hospital):
        for number in range(3):
            shutil.copytree(SAMPLES / "a-picture", hospital.daemon.inbox / f"P{number}")
        for _ in range(2):
            await until(lambda: _workers())
            for pid in _workers():
                os.kill(pid, signal.SIGKILL)
        await until(lambda: len(reports(hospital)) == 3)
    assert sorted(str(report["patient_id"]) for report in reports(hospital)) == ["P0", "P1", "P2"]
    assert reasons(hospital) == {}


def _workers() -> list[int]:
    """Processes that this one has spawned to analyze scans."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat") as stat, open(f"/proc/{name}/cmdline") as command:
                parent = stat.read().rpartition(")")[2].split()[1]
                if parent == str(os.getpid()) and "spawn_main" in command.read():
                    found.append(int(name))
        except (OSError, ValueError, IndexError):
            continue
    return found
