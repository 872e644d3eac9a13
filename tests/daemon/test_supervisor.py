"""`gliowatch run` as a whole: a link that works, a port that may be taken, and an end by Ctrl-C."""

import asyncio
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from daemon import supervisor
from daemon.index.database import open_records
from daemon.permissions import Role
from daemon.records.accounts import link_for
from daemon.settings import Settings


def start(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "gliowatch", "run", "--settings", "settings.toml"]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def open_patiently(address: str) -> str:
    """The page behind the link, as a browser with cookies gets it; the viewer may still start."""
    import time

    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page, _, sent = address.partition("?")
    for _ in range(200):
        try:
            with browser.open(address, timeout=60) as answer:
                assert "Worklist" not in answer.read().decode()  # a button, and no more
            with browser.open(page, sent.encode(), timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.1)
    raise AssertionError("the viewer did not start")


async def _link(hospital: Settings) -> str:
    async with open_records(hospital.daemon.records) as records:
        return await link_for(records, "ada", Role.READER, 60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_printed_link_opens_the_worklist_until_the_end(
    hospital: Settings, number: signal.Signals
) -> None:
    process = start(hospital.daemon.inbox.parent)
    assert process.stdout is not None
    address = process.stdout.readline().strip().removeprefix("The pages are at ")
    assert "gliowatch users add" in process.stdout.readline()
    token = asyncio.run(_link(hospital))
    link = f"{address}enter?token={token}"
    assert "Worklist" in open_patiently(link)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(address, timeout=60)
    process.send_signal(number)
    _, log = process.communicate(timeout=120)
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert token not in log
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(link, timeout=5)


def test_a_taken_port_is_told_in_one_sentence(hospital: Settings) -> None:
    folder = hospital.daemon.inbox.parent
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        text = (folder / "settings.toml").read_text().replace("port = 0", f"port = {port}")
        (folder / "settings.toml").write_text(text)
        process = start(folder)
        _, log = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "cannot listen on 127.0.0.1" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(("steady_seconds", "pauses"), [(1e9, [1, 2, 4, 8, 16, 30]), (0, [1] * 6)])
async def test_a_viewer_that_ran_well_starts_again_without_a_long_pause(
    hospital: Settings,
    monkeypatch: pytest.MonkeyPatch,
    steady_seconds: float,
    pauses: list[float],
) -> None:
    class Ended:
        def join(self) -> None:
            return

    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == len(pauses):
            raise asyncio.CancelledError

    viewer = supervisor._Beside("viewer", lambda settings, later: None, hospital)
    monkeypatch.setattr(viewer, "_start", Ended)
    monkeypatch.setattr(supervisor, "STEADY_SECONDS", steady_seconds)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await viewer._keep()
    assert slept == pauses
