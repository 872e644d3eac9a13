"""kill -9 of the viewer in a part of a STOW-RS request, beside the real process that sorts."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientTimeout

from daemon.dicom_node.staging import Staging
from daemon.settings import Settings
from tests.daemon.dicom_node.senders import kept, picture, pixels, real_node
from tests.scale.site import Visitor, free_port, viewer, visitors
from tests.viewer.api.test_stow import KIND, PATH, STUDY, body, bytes_of, part, stow_settings

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
PATIENCE = 120.0


async def half_and_kill(settings: Settings, who: Visitor, whole: bytes, pid: int) -> int:
    """One object whole and half of another, then the kill; how many files had been begun."""
    posting = Staging(settings.daemon.inbox).posting

    async def half() -> AsyncIterator[bytes]:
        yield part(whole) + part(whole)[: len(whole) // 2]
        await asyncio.sleep(PATIENCE)

    async with ClientSession(timeout=ClientTimeout(PATIENCE)) as session:
        sending = asyncio.create_task(session.post(address(settings), data=half(), headers=of(who)))
        await asyncio.to_thread(until, lambda: len(begun(posting)) == 2 or sending.done())
        found = len(begun(posting))
        os.kill(pid, signal.SIGKILL)
        (answer,) = await asyncio.gather(sending, return_exceptions=True)
    assert isinstance(answer, Exception), "it was answered"
    return found


def begun(posting: Path) -> list[Path]:
    """Files with bytes of requests that have no answer."""
    return [path for path in posting.rglob("*") if path.is_file() and path.stat().st_size]


def address(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.viewer.port}{PATH}"


def of(who: Visitor) -> dict[str, str]:
    return KIND | who.bearer


def until(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < ends:
        time.sleep(0.05)


async def send(settings: Settings, who: Visitor, *contents: bytes) -> int:
    """The status of a whole request."""
    async with (
        ClientSession(timeout=ClientTimeout(PATIENCE)) as session,
        session.post(address(settings), data=BytesIO(body(*contents)), headers=of(who)) as answer,
    ):
        return answer.status


def test_a_killed_viewer_leaves_nothing_and_the_same_request_works_again(tmp_path: Path) -> None:
    settings = stow_settings(tmp_path, port=free_port())
    (who,) = visitors(settings, 1)
    one, other = (picture("P1", STUDY, 4_000_000) for _ in range(2))
    staging = Staging(settings.daemon.inbox)
    with real_node(tmp_path) as node:
        for _ in range(2):
            with viewer(settings) as pid:
                assert not begun(staging.posting), "a start clears what the one before held"
                assert asyncio.run(half_and_kill(settings, who, bytes_of(one), pid)) == 2
            assert begun(staging.posting), "nothing was left to clear"
            assert not list(staging.arrived.rglob("*.dcm")), "a half request has arrived"
        with viewer(settings):
            assert not begun(staging.posting)
            assert asyncio.run(send(settings, who, bytes_of(one), bytes_of(other))) == 200
            (folder,) = node.wait_for(1)
        assert kept(folder) == {pixels(one): 1, pixels(other): 1}
        until(lambda: not [path for path in staging.root.rglob("*.dcm") if path.is_file()])
    left = [path.name for path in staging.root.rglob("*") if path.suffix in (".dcm", ".part")]
    assert (left, list(staging.posting.iterdir())) == ([], [])
    assert node.studies() == [folder]
