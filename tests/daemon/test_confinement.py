"""What opens scans can neither reach the network nor read the records, whatever runs in it."""

import asyncio
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest

from daemon.confinement import (
    OPEN_FILES,
    Bounds,
    bounds_of_scans,
    bounds_of_slices,
    bounds_of_uploads,
    protection,
)
from daemon.operations.status import about
from daemon.pipeline.worker_processes import Slot
from daemon.settings import Allowance, Settings
from tests.conftest import SAMPLES, reports, running_daemon, until

ALLOWED = Allowance(30, 4_000_000_000)
KERNEL = protection()
needs_files = pytest.mark.skipif(not KERNEL.files, reason="this kernel has no Landlock")
needs_calls = pytest.mark.skipif(not KERNEL.programs, reason="this kernel has no seccomp filters")


@pytest.fixture
async def slot(hospital: Settings) -> AsyncIterator[Slot]:
    hospital.daemon.records.write_bytes(b"names")
    hospital.daemon.outbox.mkdir(exist_ok=True)
    made = Slot(bounds_of_scans(hospital))
    yield made
    made.close()


@needs_files
async def test_the_records_cannot_be_read(slot: Slot, hospital: Settings) -> None:
    with pytest.raises(PermissionError):
        await slot.run(ALLOWED, hospital.daemon.records.read_bytes)
    for path in ("/etc/passwd", "/root", "/var"):
        with pytest.raises(PermissionError):
            await slot.run(ALLOWED, os.open, path, os.O_RDONLY)


@needs_files
async def test_scans_can_be_read_and_results_written(slot: Slot, hospital: Settings) -> None:
    dropped, result = hospital.daemon.inbox / "scan", hospital.daemon.outbox / "result"
    dropped.write_bytes(b"voxels")
    assert await slot.run(ALLOWED, dropped.read_bytes) == b"voxels"
    assert await slot.run(ALLOWED, result.write_bytes, b"mask") == 4
    with pytest.raises(PermissionError):
        await slot.run(ALLOWED, dropped.write_bytes, b"changed")
    with pytest.raises(PermissionError):
        await slot.run(ALLOWED, dropped.unlink)
    scratch = Path(await slot.run(ALLOWED, tempfile.mkdtemp))
    slot.close()
    assert not scratch.parent.exists()


@needs_calls
async def test_neither_network_nor_programs_nor_processes(slot: Slot) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(PermissionError):
        await slot.run(ALLOWED, socket.create_connection, server.getsockname())
    with pytest.raises(PermissionError):
        await slot.run(ALLOWED, socket.socket, socket.AF_UNIX)
    with pytest.raises(PermissionError):
        await slot.run(ALLOWED, subprocess.check_call, ["/bin/true"])
    with pytest.raises(PermissionError):
        await slot.run(ALLOWED, os.fork)


@needs_files
async def test_another_process_cannot_be_read(slot: Slot) -> None:
    for name in ("environ", "mem", "cmdline"):
        with pytest.raises(PermissionError):
            await slot.run(ALLOWED, Path(f"/proc/{os.getpid()}/{name}").read_bytes)


@pytest.mark.skipif(not KERNEL.signals, reason="this kernel's Landlock knows no signals")
async def test_another_process_cannot_be_ended(slot: Slot) -> None:
    other = await asyncio.create_subprocess_exec("sleep", "60")
    with pytest.raises(PermissionError):
        await slot.run(ALLOWED, os.kill, other.pid, signal.SIGTERM)
    other.kill()
    assert await other.wait() == -signal.SIGKILL


async def test_sizes_are_limited(slot: Slot) -> None:
    limits = {
        kind: (await slot.run(ALLOWED, resource.getrlimit, kind))[0]
        for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)
    }
    assert limits[resource.RLIMIT_CORE] == 0
    assert 0 < limits[resource.RLIMIT_NOFILE] <= OPEN_FILES


@needs_files
async def test_an_inbox_that_is_another_folder_now_gets_a_fresh_process(
    slot: Slot, hospital: Settings
) -> None:
    before = await slot.run(ALLOWED, os.getpid)
    inbox = hospital.daemon.inbox
    inbox.rename(inbox.with_name("away"))
    inbox.mkdir()
    (inbox / "scan").write_bytes(b"voxels")
    assert await slot.run(ALLOWED, (inbox / "scan").read_bytes) == b"voxels"
    assert await slot.run(ALLOWED, os.getpid) != before


@needs_files
async def test_a_page_s_process_reads_what_the_page_shows(hospital: Settings) -> None:
    bounds = bounds_of_slices(hospital)
    assert isinstance(bounds, Bounds)
    hospital.daemon.outbox.mkdir(exist_ok=True)
    drawing = Slot(bounds)
    with pytest.raises(PermissionError):
        await drawing.run(ALLOWED, (hospital.daemon.outbox / "x").write_bytes, b"")
    drawing.close()
    assert bounds_of_uploads(hospital).writable == (hospital.daemon.inbox,)  # type: ignore[union-attr]


def test_a_site_can_leave_it_out_and_info_tells_what_holds(hospital: Settings) -> None:
    daemon = hospital.daemon.model_copy(update={"confine_workers": False})
    assert bounds_of_scans(hospital.model_copy(update={"daemon": daemon})) is None
    assert about(hospital)["workers_kept_from"] == asdict(KERNEL)


async def test_a_scan_is_analyzed_within_the_bounds(hospital: Settings) -> None:
    async with running_daemon(hospital):
        shutil.copytree(SAMPLES / "a-picture", hospital.daemon.inbox / "P1")
        await until(lambda: len(reports(hospital)) == 1)
    assert reports(hospital)[0]["finding"] != ""
