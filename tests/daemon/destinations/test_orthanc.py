"""A real archive, Orthanc: everything arrives once, however often the sender is killed."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from daemon.destinations.journal import Journal
from daemon.index.sent_objects import SendState, count_sent
from daemon.settings import load_settings
from tests.daemon.destinations.archive import Site, site_in
from tests.daemon.outputs.dicom.test_pacs import ask, pacs

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

RESULTS, KILLS = 30, 20
__all__ = ["pacs"]


def command(folder: Path) -> subprocess.Popen[str]:
    """`gliowatch send`, which is the sender's code without a daemon."""
    words = [sys.executable, "-m", "gliowatch", "send", "--settings", "settings.toml"]
    return subprocess.Popen(words, cwd=folder, text=True, stdout=subprocess.PIPE)


def stored(address: str) -> list[str]:
    """The SOP Instance UID of each object that the archive holds."""
    found = ask(f"{address}/instances?expand")
    return [each["MainDicomTags"]["SOPInstanceUID"] for each in found]


async def publish_many(site: Site) -> list[str]:
    """Results from after the journal was begun; the UIDs of their objects."""
    uids = []
    for number in range(RESULTS):
        uids += await site.publish(f"{number:020d}", "seg sr sc pdf")
    return uids


def test_a_sender_that_is_killed_again_and_again_loses_and_doubles_nothing(
    tmp_path: Path, pacs: tuple[str, int]
) -> None:
    address, port = pacs
    (tmp_path / "settings.toml").write_text(
        '[[dicom.send]]\nname = "pacs"\nhost = "127.0.0.1"\nrate = 200.0\n'
        f'port = {port}\ncalled_ae_title = "ORTHANC"\nfirst_pause_seconds = 0.1\n'
    )

    async def prepare() -> list[str]:
        async with site_in(tmp_path) as site:
            Journal(site.settings.daemon.outbox, "pacs")
            return await publish_many(site)

    uids = asyncio.run(prepare())
    journal = tmp_path / "outbox" / ".sent" / "pacs.jsonl"
    kills = 0
    while kills < KILLS and len(journal.read_bytes().splitlines()) <= len(uids):
        before = journal.stat().st_size
        with command(tmp_path) as running:
            ends = time.monotonic() + 60
            while time.monotonic() < ends and running.poll() is None:
                if journal.stat().st_size > before + 300 * (1 + kills % 3):
                    break
                time.sleep(0.002)
            if running.poll() is None:
                os.kill(running.pid, signal.SIGKILL)
                kills += 1
    with command(tmp_path) as running:
        assert running.wait(300) == 0
    assert kills >= 5
    held = stored(address)
    assert sorted(held) == sorted(uids), "lost, or twice"

    async def counted() -> tuple[int, int]:
        async with site_in(tmp_path) as site:
            names = [to.name for to in load_settings(tmp_path / "settings.toml").dicom.send]
            (counts,) = await count_sent(site.index, names)
            return counts.states[SendState.SENT], counts.waiting

    assert asyncio.run(counted()) == (len(uids), 0)
    assert len(Journal(tmp_path / "outbox", "pacs").read_from(0)[0]) == len(uids)


def test_all_of_each_object_arrives(tmp_path: Path, pacs: tuple[str, int]) -> None:
    address, port = pacs
    (tmp_path / "settings.toml").write_text(
        '[[dicom.send]]\nname = "pacs"\nhost = "127.0.0.1"\n'
        f'port = {port}\ncalled_ae_title = "ORTHANC"\n'
    )

    async def prepare() -> list[str]:
        async with site_in(tmp_path) as site:
            return await site.publish("a" * 20, "seg sr sc pdf ko")

    uids = asyncio.run(prepare())
    words = [sys.executable, "-m", "gliowatch", "send", "a" * 20, "--settings", "settings.toml"]
    done = subprocess.run(words, cwd=tmp_path, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "pacs: 5 sent, 0 to be sent, 0 given up.\n")
    assert sorted(stored(address)) == sorted(uids)
    sent = [dcmread(path) for path in (tmp_path / "outbox").rglob("*.dcm")]
    came = []
    for name in ask(f"{address}/instances"):
        with urllib.request.urlopen(f"{address}/instances/{name}/file", timeout=60) as answer:
            came.append(dcmread(BytesIO(answer.read())))
    assert {each.SOPInstanceUID: each for each in came} == {
        each.SOPInstanceUID: each for each in sent
    }
