"""Retention: what was reviewed goes by age or for space, and is known to have gone."""

import asyncio
import os
import shutil
import time
from subprocess import CompletedProcess

import numpy as np
import pytest

from daemon import safe_files
from daemon.index.database import open_index, open_records
from daemon.index.people.reviews import Decision, add_review
from daemon.index.queue import set_switch, switch
from daemon.index.scans import find_scan
from daemon.operations import retention
from daemon.operations.retention import (
    DUE,
    HELD,
    IN_BIN,
    KNOWN,
    MOST_DRIFT,
    STEADY_SECONDS,
    PlausibleClock,
    Retention,
    binned,
)
from daemon.settings import Settings
from model.reading.read import read
from model.volume import Kind, Scan
from tests.conftest import SAMPLES, drain, gliowatch, reports, running_daemon, until
from tests.daemon.pipeline.published import Given, publish
from viewer.admin.system import retention_words

PICTURE = next((SAMPLES / "a-picture").iterdir())
AT_ONCE = 1e-9  # days


class Crash(Exception):
    """Stands for a kill at this very place."""


@pytest.fixture
def published(hospital: Settings) -> dict[str, str]:
    """Three scans of three patients, in the order in which they were published: id by patient."""
    for number, patient in enumerate("ABC"):
        folder = hospital.daemon.inbox / patient
        folder.mkdir()
        shutil.copy(PICTURE, folder / "a.png")
        os.utime(folder / "a.png", (1e9 - number, 1e9 - number))  # what came last goes first
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    return {str(report["patient_id"]): str(report["scan_id"]) for report in reports(hospital)}


@pytest.fixture
def made(hospital: Settings) -> dict[str, str]:
    """The same, published without a daemon or a network."""
    mask = np.zeros(read(Scan(Kind.IMAGE, (PICTURE,))).voxels.shape, np.uint8)
    mask[20:40, 20:40] = 1
    given = [Given(patient, n, PICTURE, Kind.IMAGE, mask) for n, patient in enumerate("ABC")]
    asyncio.run(publish(hospital.daemon.inbox.parent, given))
    asyncio.run(know_the_time(hospital))
    return {each.patient: each.scan_id for each in given}


async def know_the_time(settings: Settings) -> None:
    """As a round does; what was made above was published long ago."""
    async with open_index(settings.daemon.index) as index:
        await set_switch(index, KNOWN, int(time.time()))


async def say(settings: Settings, scan_id: str, *decisions: Decision) -> None:
    async with open_records(settings.daemon.records) as records:
        for decision in decisions:
            await add_review(records, scan_id, 1, decision, "", "Dr. Who")


async def remove_old(
    settings: Settings,
    days: float = 0.0,
    gigabytes: float = 0.0,
    grace: float = 30.0,
    rounds: int = 2,
    ahead_days: float = 0.0,
) -> int:
    """So many rounds: the first one only counts; how many scans went in the last."""
    rules = {"keep_days": days, "keep_gb": gigabytes, "grace_days": grace}
    daemon = settings.daemon.model_copy(update=rules)
    async with open_index(daemon.index) as index, open_records(daemon.records) as records:
        clock = PlausibleClock(index, wall=lambda: time.time() + 86400 * ahead_days)
        retention = Retention(daemon, index, records, clock)
        return [await retention.remove_old() for _ in range(rounds)][-1]


async def ask(settings: Settings, *words: str) -> "CompletedProcess[str]":
    return await asyncio.to_thread(gliowatch, settings, *words)


def folders(settings: Settings) -> set[str]:
    return {path.parent.name for path in settings.daemon.outbox.glob("[!.]*/*")}


async def test_only_what_was_reviewed_goes_and_it_is_known_to_have_gone(
    hospital: Settings, published: dict[str, str]
) -> None:
    await say(hospital, published["A"], Decision.NEEDS_CORRECTION, Decision.ACCEPTED)
    await say(hospital, published["B"], Decision.ACCEPTED, Decision.NEEDS_CORRECTION)
    assert await remove_old(hospital, days=1) == 0  # they are of today
    assert await remove_old(hospital, days=AT_ONCE) == 1
    assert folders(hospital) == {"B", "C"}
    checked = await ask(hospital, "verify")
    assert checked.returncode == 0, checked.stdout
    assert "done 3" in checked.stdout
    async with open_index(hospital.daemon.index) as index:
        scan = await find_scan(index, published["A"])
    assert scan is not None
    assert scan.removed_at is not None
    assert scan.report.finding == "tumor"


async def test_for_space_the_oldest_go_until_there_is_enough(
    hospital: Settings, published: dict[str, str]
) -> None:
    for scan_id in published.values():
        await say(hospital, scan_id, Decision.REJECTED)
    taken = safe_files.bytes_below(hospital.daemon.outbox)
    assert await remove_old(hospital, gigabytes=(taken - 1) / 1e9) == 1
    assert folders(hospital) == {"B", "C"}


async def test_an_index_made_again_knows_what_went_and_the_scan_may_come_again(
    hospital: Settings, published: dict[str, str]
) -> None:
    await say(hospital, published["A"], Decision.ACCEPTED)
    assert await remove_old(hospital, days=AT_ONCE) == 1
    assert (await ask(hospital, "verify", "--rebuild")).returncode == 0
    assert (await ask(hospital, "verify")).returncode == 0
    async with open_index(hospital.daemon.index) as index:
        gone = await find_scan(index, published["A"])
    assert gone is not None
    assert gone.removed_at is not None
    shutil.copy(PICTURE, hospital.daemon.inbox / "A" / "again.png")
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    assert folders(hospital) == {"A", "B", "C"}
    assert (await ask(hospital, "verify")).returncode == 0
    async with open_index(hospital.daemon.index) as index:
        back = await find_scan(index, published["A"])
    assert back is not None
    assert back.removed_at is None


@pytest.mark.parametrize("step", ["rename", "mark"])
async def test_a_crash_on_the_way_out_leaves_it_whole_or_known_as_gone(
    hospital: Settings, published: dict[str, str], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(hospital, published["A"], Decision.ACCEPTED)

    def crash(*_: object, **__: object) -> None:
        raise Crash

    place = {
        "rename": "pathlib.Path.rename",
        "mark": "daemon.index.inventory.mark_removed",
    }[step]
    with monkeypatch.context() as patched:
        patched.setattr(place, crash)
        with pytest.raises(Crash):
            await remove_old(hospital, days=AT_ONCE)
    checked = await ask(hospital, "verify")
    assert checked.returncode == 0, checked.stdout
    await remove_old(hospital, days=AT_ONCE)
    assert folders(hospital) == {"B", "C"}
    async with open_index(hospital.daemon.index) as index:
        scan = await find_scan(index, published["A"])
    assert scan is not None
    assert scan.removed_at is not None


async def test_a_running_daemon_does_it_if_the_owner_turned_it_on(
    hospital: Settings, published: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(hospital, published["A"], Decision.ACCEPTED)
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.0)
    daemon = hospital.daemon.model_copy(update={"keep_days": AT_ONCE})
    async with running_daemon(hospital.model_copy(update={"daemon": daemon})):
        await until(lambda: folders(hospital) == {"B", "C"})
    assert folders(hospital) == {"B", "C"}


async def switches(settings: Settings, *names: str) -> list[int]:
    async with open_index(settings.daemon.index) as index:
        return [await switch(index, name) for name in names]


async def test_a_share_goes_in_a_round_and_the_numbers_are_said_before(
    hospital: Settings, made: dict[str, str]
) -> None:
    for scan_id in made.values():
        await say(hospital, scan_id, Decision.ACCEPTED)
    assert await remove_old(hospital, days=AT_ONCE, rounds=1) == 0
    assert await switches(hospital, DUE, IN_BIN) == [3, 0]
    daemon = hospital.daemon.model_copy(update={"keep_days": 1.0})
    async with open_index(daemon.index) as index:
        said = await retention_words(daemon, index)
    assert "a twentieth of all scans an hour at most: 3" in said
    for left in (2, 1, 0):  # a twentieth of three is one at least
        assert await remove_old(hospital, days=AT_ONCE, rounds=1) == 1
        assert await switches(hospital, DUE, IN_BIN) == [left, 3 - left]
    assert folders(hospital) == set()


async def test_a_clock_far_ahead_removes_nothing(hospital: Settings, made: dict[str, str]) -> None:
    for scan_id in made.values():
        await say(hospital, scan_id, Decision.ACCEPTED)
    assert await remove_old(hospital, days=AT_ONCE, rounds=4, ahead_days=400) == 0
    assert folders(hospital) == {"A", "B", "C"}
    assert await switches(hospital, HELD, DUE) == [1, 0]
    assert await remove_old(hospital, days=AT_ONCE) == 1  # it is right again
    assert await switches(hospital, HELD) == [0]
    assert await remove_old(hospital, days=AT_ONCE, grace=0.0, ahead_days=400, rounds=4) == 0
    assert len(binned(hospital.daemon.outbox)) == 1  # nothing leaves the bin either


async def test_a_clock_that_jumped_is_believed_after_a_steady_day(hospital: Settings) -> None:
    wall, steady = [1e9], [0.0]
    async with open_index(hospital.daemon.index) as index:
        clock = PlausibleClock(index, lambda: wall[0], lambda: steady[0])
        assert await clock.is_plausible()
        wall[0] += 30 * 86400
        assert not await clock.is_plausible()
        for seconds, jump, believed in (
            (STEADY_SECONDS - 1, 0.0, False),
            (1, 2 * MOST_DRIFT, False),  # it jumped again: the day begins anew
            (STEADY_SECONDS - 1, 0.0, False),
            (1, 0.0, True),
        ):
            steady[0] += seconds
            wall[0] += seconds + jump
            assert await clock.is_plausible() is believed
        assert await switch(index, KNOWN) == int(wall[0])


async def test_what_went_lies_in_the_bin_can_be_put_back_and_is_deleted_in_the_end(
    hospital: Settings, made: dict[str, str]
) -> None:
    await say(hospital, made["A"], Decision.ACCEPTED)
    outbox = hospital.daemon.outbox
    assert await remove_old(hospital, days=AT_ONCE) == 1
    ((day, place),) = binned(outbox)
    assert next(place.glob("source/*")).read_bytes() == PICTURE.read_bytes()
    shutil.move(place, outbox / "A" / place.name)
    assert await remove_old(hospital, rounds=1) == 0
    async with open_index(hospital.daemon.index) as index:
        scan = await find_scan(index, made["A"])
    assert scan is not None
    assert scan.removed_at is None
    checked = await ask(hospital, "verify")
    assert checked.returncode == 0, checked.stdout
    assert await remove_old(hospital, days=AT_ONCE) == 1
    assert await remove_old(hospital, grace=1.0, rounds=1) == 0
    assert [since for since, _ in binned(outbox)] == [day]
    assert await remove_old(hospital, grace=0.0, rounds=1) == 0
    assert binned(outbox) == []
    assert not list((outbox / ".bin").iterdir())
