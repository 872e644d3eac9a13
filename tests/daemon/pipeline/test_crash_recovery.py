"""kill -9 at any moment: after the next start each scan is there once, and nothing is lost."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daemon.index import ledger
from daemon.index.database import open_index
from daemon.settings import Settings
from tests.conftest import FRONTAL, drain, left_in_inbox, reports

Start = Callable[[Path], "subprocess.Popen[bytes]"]


def wait_for(condition: Callable[[], object]) -> None:
    """Look as often as possible, so that a kill comes in the midst of things."""
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def drop_pictures(inbox: Path, count: int) -> None:
    """Grey pictures that all differ, one patient each."""
    for number in range(count):
        folder = inbox / f"P{number}"
        folder.mkdir()
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64), np.uint8)
        Image.fromarray(pixels).save(folder / "slice.png")


async def test_a_daemon_killed_in_mid_scan_loses_and_doubles_nothing(
    hospital: Settings, start_daemon: Start
) -> None:
    folder = hospital.daemon.inbox.parent
    (hospital.daemon.inbox / "P").mkdir()
    shutil.copy(FRONTAL, hospital.daemon.inbox / "P")
    process = start_daemon(folder)
    staging = hospital.daemon.outbox / ".staging"
    wait_for(lambda: list(staging.glob("*/source/*")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert reports(hospital) == []
    assert left_in_inbox(hospital) == [f"P/{FRONTAL.name}"]
    assert drain(folder).returncode == 0
    assert len(reports(hospital)) == 1
    assert left_in_inbox(hospital) == []
    async with open_index(hospital.daemon.index) as index:
        states = await ledger.count_states(index)
    assert states["done"] == 1  # type: ignore[index]
    assert sum(states.values()) == 1


@pytest.mark.long
async def test_kills_at_random_moments_lose_and_double_nothing(
    hospital: Settings, start_daemon: Start
) -> None:
    folder, count = hospital.daemon.inbox.parent, 12
    drop_pictures(hospital.daemon.inbox, count)
    moments = random.Random(5)
    for _ in range(5):
        process = start_daemon(folder)
        try:
            process.wait(moments.uniform(1.8, 5.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert drain(folder).returncode == 0
    patients = sorted(str(report["patient_id"]) for report in reports(hospital))
    assert patients == sorted(f"P{number}" for number in range(count))
    assert left_in_inbox(hospital) == []
    assert not (hospital.daemon.inbox / ".duplicates").exists()
    async with open_index(hospital.daemon.index) as index:
        assert (await ledger.count_states(index))["done"] == count  # type: ignore[index]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_puts_the_running_scan_back(
    hospital: Settings, start_daemon: Start, number: signal.Signals
) -> None:
    drop_pictures(hospital.daemon.inbox, 3)
    process = start_daemon(hospital.daemon.inbox.parent)
    wait_for(hospital.daemon.index.exists)
    process.send_signal(number)
    assert process.wait(120) == 0
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    assert len(reports(hospital)) == 3


def test_a_second_daemon_on_one_inbox_refuses(hospital: Settings, start_daemon: Start) -> None:
    folder = hospital.daemon.inbox.parent
    (hospital.daemon.inbox / "P").mkdir()
    shutil.copy(FRONTAL, hospital.daemon.inbox / "P")
    start_daemon(folder)
    lock = hospital.daemon.index.with_name("index.sqlite.lock")
    wait_for(lock.exists)
    second = drain(folder)
    assert second.returncode == 2
    assert "Another gliowatch runs on this inbox already." in second.stderr
