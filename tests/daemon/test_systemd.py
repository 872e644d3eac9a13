"""Under systemd: ready, alive only while the work goes on, and a clean end, on a real socket."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from daemon.drops import State
from daemon.index import ledger
from daemon.index.database import open_index
from daemon.intake.inbox_reconciler import Reconciler
from daemon.pipeline.running_scans import Job
from daemon.service import Notifier
from daemon.settings import Settings
from tests.conftest import FRONTAL, ROOT, SAMPLES, drain, reports, running_daemon, until
from tests.daemon.pipeline.test_crash_recovery import wait_for

PICTURE = next((SAMPLES / "a-picture").iterdir())
UNIT = ROOT / "deploy" / "gliowatch.service"


class Supervisor:
    """What systemd is to a service: a socket that hears, with the time of each message."""

    def __init__(self, address: str | bytes) -> None:
        self.heard: list[tuple[float, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(0.1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                self.heard.append((time.monotonic(), self._socket.recv(4096).decode()))
            except TimeoutError:
                continue

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    @property
    def messages(self) -> list[str]:
        return [message for _, message in self.heard]

    def times(self, message: str) -> list[float]:
        return [moment for moment, heard in self.heard if heard == message]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    listening = Supervisor(str(tmp_path / "notify"))
    yield listening
    listening.close()


def start(folder: Path, watchdog_seconds: float) -> "subprocess.Popen[str]":
    """`gliowatch run` as systemd would start it."""
    told = {
        "NOTIFY_SOCKET": str(folder / "notify"),
        "WATCHDOG_USEC": str(int(watchdog_seconds * 1e6)),
    }
    command = [sys.executable, "-m", "gliowatch", "run", "--settings", "settings.toml"]
    return subprocess.Popen(
        command, cwd=folder, env=os.environ | told, stderr=subprocess.PIPE, text=True
    )


async def test_a_service_from_its_start_to_its_end(
    hospital: Settings, supervisor: Supervisor
) -> None:
    folder = hospital.daemon.inbox.parent
    watchdog_seconds = 6.0  # this machine may be busy
    process = start(folder, watchdog_seconds)
    try:
        wait_for(lambda: len(supervisor.times("WATCHDOG=1")) >= 3)
        assert supervisor.messages[0] == "READY=1"
        (hospital.daemon.inbox / "P").mkdir()
        shutil.copy(FRONTAL, hospital.daemon.inbox / "P")
        wait_for(lambda: list((hospital.daemon.outbox / ".staging").glob("*/source/*")))
        process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        _, log = process.communicate(timeout=120)
        assert time.monotonic() - asked < 10
    finally:
        process.kill()
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert supervisor.messages[-1] == "STOPPING=1"
    assert supervisor.messages.count("READY=1") == supervisor.messages.count("STOPPING=1") == 1
    beats = supervisor.times("WATCHDOG=1")
    gaps = [after - before for before, after in pairwise(beats)]
    assert max(gaps) < watchdog_seconds / 2
    async with open_index(hospital.daemon.index) as index:
        (queued,) = await ledger.open_drops(index)
    assert (queued.state, queued.rested, queued.attempts) == (State.WAITING, True, 0)
    assert drain(folder).returncode == 0
    assert len(reports(hospital)) == 1


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This process as a service that has two seconds."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")


@pytest.mark.long
@pytest.mark.usefixtures("watched")
async def test_the_loop_is_alive_while_a_scan_takes_long(
    hospital: Settings, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def analyze_for_ever(job: Job) -> State:
        begun.set()
        await asyncio.sleep(3600)
        return State.DONE

    monkeypatch.setattr("daemon.pipeline.scan_pipeline.process", analyze_for_ever)
    (hospital.daemon.inbox / "P").mkdir()
    shutil.copy(PICTURE, hospital.daemon.inbox / "P")
    async with running_daemon(hospital):
        await asyncio.wait_for(begun.wait(), 240)
        start = time.monotonic()
        await asyncio.sleep(7)
        late = [moment - start for moment in supervisor.times("WATCHDOG=1") if moment > start]
    assert len(late) >= 4
    assert max(late) > 5.5


@pytest.mark.usefixtures("watched")
async def test_a_loop_that_hangs_is_not_alive(
    hospital: Settings, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang, look = asyncio.Event(), Reconciler.look

    async def look_and_hang(self: Reconciler, only: Collection[bytes] | None = None) -> bool:
        if len(supervisor.times("WATCHDOG=1")) >= 2 and not hang.is_set():
            hang.set()
            await asyncio.sleep(4)
        return await look(self, only)

    monkeypatch.setattr(Reconciler, "look", look_and_hang)
    async with running_daemon(hospital):
        await asyncio.wait_for(hang.wait(), 240)
        await asyncio.sleep(0.2)
        before = len(supervisor.messages)
        await asyncio.sleep(3)
        assert len(supervisor.messages) == before
        await until(lambda: len(supervisor.messages) > before, 10)


def test_an_abstract_socket_is_told_too() -> None:
    name = f"gliowatch-test-{os.getpid()}"
    listening = Supervisor(b"\0" + name.encode())
    try:
        notifier = Notifier({"NOTIFY_SOCKET": f"@{name}"})
        assert notifier.pause is None
        notifier.ready()
        notifier.alive()  # nobody asked for it
        notifier.stopping()
        wait_for(lambda: len(listening.messages) == 2)
        assert listening.messages == ["READY=1", "STOPPING=1"]
    finally:
        listening.close()


def test_without_a_supervisor_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*values: object) -> None:
        raise AssertionError("no socket was to be made")

    monkeypatch.setattr(socket, "socket", refuse)
    for environment in ({}, {"WATCHDOG_USEC": "1000000"}, {"NOTIFY_SOCKET": "vsock:2:3"}):
        notifier = Notifier(environment)
        for tell in (notifier.ready, notifier.alive, notifier.stopping):
            tell()
        assert notifier.pause is None
    monkeypatch.undo()
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert [event.getMessage() for event in caplog.records] == ["notify_failed"]


@pytest.mark.parametrize(
    ("environment", "pause"),
    [
        ({"WATCHDOG_USEC": "20000000"}, 5.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_how_often_systemd_wants_to_hear(environment: dict[str, str], pause: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/run/notify"} | environment).pause == pause


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text()
    for line in ("Type=notify", "NotifyAccess=main", "TimeoutStopSec=15", "User=gliowatch"):
        assert f"\n{line}\n" in text
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not on this machine")
    unit = tmp_path / "gliowatch.service"
    unit.write_text(text.replace("/opt/gliowatch/.venv/bin/gliowatch", sys.executable))
    done = subprocess.run(
        [program, "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
