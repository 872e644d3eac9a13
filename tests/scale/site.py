"""A real viewer process over the made databases, and somebody who may look at everything."""

import asyncio
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from daemon.index.database import open_index, open_records
from daemon.index.people.accounts import add_account, add_token, find_account
from daemon.index.people.logins import begin_session
from daemon.index.statistics import RECONCILE, beat
from daemon.permissions import Role
from daemon.settings import Settings
from tests.viewer.test_house import settings_in
from viewer.login import COOKIE

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Visitor:
    """headers: of a browser that has logged in; csrf: for its forms; bearer: of the API."""

    headers: dict[str, str]
    csrf: str
    bearer: dict[str, str]


def site_in(folder: Path) -> Settings:
    """Settings for the databases of a folder; a day without a page ends no session there."""
    return settings_in(folder, port=free_port(), idle_minutes=1440)


def free_port() -> int:
    """A port that nobody uses just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def visitor(settings: Settings) -> Visitor:
    """A new session and a token; the daemon is taken for alive."""
    async with open_index(settings.daemon.index) as index:
        await beat(index, RECONCILE)
    async with open_records(settings.daemon.records) as records:
        account = await add_account(records, "scale", "Dr Scale", Role.ADMIN, "")
        account = account or await find_account(records, "scale")
        assert account is not None
        key = await begin_session(records, account.account_id, account.password_hash)
        row = await records.row("SELECT csrf FROM login_sessions ORDER BY rowid DESC LIMIT 1")
        ends = date.today() + timedelta(days=2)
        token = await add_token(
            records, account.account_id, "scale", Role.ADMIN, ends, account.password_hash
        )
    assert row is not None
    return Visitor({"Cookie": f"{COOKIE}={key}"}, row["csrf"], {"Authorization": f"Bearer {token}"})


@contextmanager
def running(module: str, function: str, port: int, *values: object) -> Iterator[int]:
    """A process of its own, with no more loaded than it needs, that serves here; its pid."""
    code = (
        f"import pickle, sys; values = pickle.load(sys.stdin.buffer);"
        f" from {module} import {function}; {function}(*values)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert process.stdin is not None
    with process.stdin as pipe:
        pickle.dump(values, pipe)
    try:
        _wait_for(port)
        yield process.pid
    finally:
        process.terminate()
        process.wait(90)


@contextmanager
def viewer(settings: Settings) -> Iterator[int]:
    """The viewer, as `gliowatch` starts it; its pid."""
    with running("viewer.app", "serve", settings.viewer.port, settings) as pid:
        yield pid


def _wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("The server does not answer.")


def memory_mb(pid: int, what: str = "VmRSS") -> float:
    """Resident memory of a process, now or (VmHWM) at most, in MB of 1e6 bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith(f"{what}:"))
    return round(int(kib) * 1024 / 1e6, 1)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def visitors(settings: Settings, count: int) -> list[Visitor]:
    """So many sessions."""

    async def all_of_them() -> list[Visitor]:
        return [await visitor(settings) for _ in range(count)]

    return asyncio.run(all_of_them())
