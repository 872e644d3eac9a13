"""Rejected files and duplicates: listed with names, reason and time, deleted by age if asked."""

import asyncio
import shutil

import pytest

from daemon.drops import State
from daemon.index import set_aside
from daemon.index.database import open_index
from daemon.operations.set_aside import EVERY_SECONDS, AgeLimit
from daemon.settings import Settings
from tests.conftest import SAMPLES, drain, gliowatch

PICTURE = next((SAMPLES / "a-picture").iterdir())
DAY = 86400.0


@pytest.fixture
def filled(hospital: Settings) -> Settings:
    """One scan, one duplicate and one file that is none, in folders of their own."""
    inbox = hospital.daemon.inbox
    (inbox / "P" / "deep").mkdir(parents=True)
    for name in ("a.jpg", "again.jpg"):
        shutil.copy(PICTURE, inbox / "P" / name)
    (inbox / "P" / "deep" / "bad.nii").write_text("no scan")
    done = drain(inbox.parent)
    assert done.returncode == 1
    assert "a.jpg" not in done.stderr
    assert "again.jpg" not in done.stderr
    assert "bad.nii" not in done.stderr
    assert '"event": "rejected", "drop": ' in done.stderr
    assert '"event": "duplicate", "drop": ' in done.stderr
    return hospital


class Clock:
    """A wall clock and a steady one."""

    def __init__(self) -> None:
        self.wall, self.steady = 0.0, 0.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def aside(hospital: Settings) -> list[str]:
    inbox = hospital.daemon.inbox
    found = [p for top in (".rejected", ".duplicates") for p in (inbox / top).rglob("*")]
    return sorted(str(path.relative_to(inbox)) for path in found if path.is_file())


def test_queue_list_failed_tells_file_reason_and_time(filled: Settings) -> None:
    told = gliowatch(filled, "queue", "list", "--failed")
    assert told.returncode == 0
    rejected, bad, duplicate, again = told.stdout.splitlines()
    assert ": P, nifti, rejected, 20" in rejected
    assert "The file is not a NIfTI image" in rejected
    assert bad == "  .rejected/P/deep/bad.nii"
    assert ": P, image, duplicate, 20" in duplicate
    assert "It is the same as scan " in duplicate
    assert again in ("  .duplicates/P/again.jpg", "  .duplicates/P/a.jpg")
    assert gliowatch(filled, "queue", "pause", "--failed").returncode == 2


async def test_what_is_old_goes_with_its_reason_and_verify_knows_it(filled: Settings) -> None:
    import time

    inbox, clock = filled.daemon.inbox, Clock()
    clock.wall = time.time()
    async with open_index(filled.daemon.index) as index:
        limit = AgeLimit(inbox, 2, index, lambda: clock.wall, lambda: clock.steady)
        clock.pass_by(EVERY_SECONDS)
        assert await limit.look() == 0  # too young
        clock.wall += 400 * DAY
        clock.pass_by(EVERY_SECONDS)
        assert await limit.look() == 0  # the clock was moved: not believed at once
        clock.wall -= 400 * DAY
        clock.pass_by(EVERY_SECONDS)
        assert await limit.look() == 0
        assert len(aside(filled)) == 3
        clock.pass_by(2 * DAY)
        assert await limit.look() == 2
        assert await limit.look() == 0
        (rejected,) = await set_aside.list_set_aside(index, State.REJECTED)
        assert rejected.files[0].removed_at
    assert aside(filled) == []
    assert not (inbox / ".rejected" / "P").exists()
    assert (await asyncio.to_thread(gliowatch, filled, "verify")).returncode == 0
    told = (await asyncio.to_thread(gliowatch, filled, "queue", "list", "--failed")).stdout
    assert "  P/deep/bad.nii, deleted 20" in told
    again = await asyncio.to_thread(gliowatch, filled, "queue", "retry", str(rejected.number))
    assert again.returncode == 2
    assert "Nothing was changed" in again.stderr
    listed = await asyncio.to_thread(gliowatch, filled, "queue", "list", "--failed")
    assert "bad.nii" in listed.stdout


async def test_nothing_goes_by_default_or_while_the_inbox_is_away(filled: Settings) -> None:
    clock = Clock()
    clock.wall = 1e11
    async with open_index(filled.daemon.index) as index:
        off = AgeLimit(filled.daemon.inbox, 0, index, lambda: clock.wall, lambda: clock.steady)
        on = AgeLimit(filled.daemon.inbox, 1, index, lambda: clock.wall, lambda: clock.steady)
        clock.pass_by(EVERY_SECONDS)
        assert await off.look() == 0
        away = filled.daemon.inbox.rename(filled.daemon.inbox.with_name("away"))
        filled.daemon.inbox.mkdir()
        assert await on.look() == 0
        filled.daemon.inbox.rmdir()
        away.rename(filled.daemon.inbox)
    assert len(aside(filled)) == 3
    verified = await asyncio.to_thread(gliowatch, filled, "verify")
    assert verified.returncode == 0, verified.stdout
    assert ".rejected/P/deep/bad.nii.reason.txt" in aside(filled)
