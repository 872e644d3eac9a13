"""Serving as its own process: it answers, ends cleanly on SIGTERM, and says if a port is taken."""

import asyncio
import multiprocessing
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from daemon.index.database import open_index
from daemon.index.statistics import RECONCILE, beat
from daemon.settings import SettingsError
from tests.viewer.test_house import settings_in
from viewer.app import ListenError, serve


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def same_signals() -> Iterator[None]:
    """Undo what `serve` does to this process's Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


async def test_it_serves_until_sigterm(tmp_path: Path, free_port: int) -> None:
    settings = settings_in(tmp_path, port=free_port)
    async with open_index(settings.daemon.index) as index:
        assert await beat(index, RECONCILE)
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(settings,))
    process.start()
    try:
        address = f"http://127.0.0.1:{free_port}/healthz"
        assert await asyncio.to_thread(_answer, address) == "ok"
        process.terminate()
        process.join(20)
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()


@pytest.mark.usefixtures("same_signals")
def test_a_port_in_use_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match=f"port {port}: another program uses this port"):
            serve(settings_in(tmp_path, port=port))


@pytest.mark.usefixtures("same_signals")
def test_plain_http_beyond_this_machine_is_refused_unless_somebody_says_so(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.168.1.1", "::", "pacs.example"):
        with pytest.raises(ListenError, match="without encryption"):
            serve(settings_in(tmp_path, host=host, port=0))
    with pytest.raises(ListenError, match="no such address"):  # it tried to listen
        serve(settings_in(tmp_path, host="192.0.2.1", port=0, allow_plain_http=True))
    with pytest.raises(SettingsError, match="certificate or the key"):
        serve(settings_in(tmp_path, host="0.0.0.0", tls_certificate=str(tmp_path / "none.pem")))


def _answer(address: str) -> str:
    """What an address answers, once it does; the process takes a while to start."""
    for _ in range(150):
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return str(answer.read().decode())
        except (URLError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError("the viewer did not answer")


def test_the_viewer_loads_no_reader_of_scans() -> None:
    code = "import sys, viewer.app; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    heavy = {"numpy", "pydicom", "nibabel", "scipy", "cv2", "openvino"}  # 50 MB and more together
    assert "aiohttp" in loaded
    assert heavy.isdisjoint(loaded)
