"""Retention: what was reviewed goes by age or for space, and is known to have gone."""

import asyncio
import os
import shutil
from subprocess import CompletedProcess

import pytest

from daemon import safe_files
from daemon.index.database import open_index, open_records
from daemon.index.people.reviews import Decision, add_review
from daemon.index.scans import find_scan
from daemon.operations.retention import Retention
from daemon.settings import Settings
from tests.conftest import SAMPLES, drain, gliowatch, reports, running_daemon, until

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


async def say(settings: Settings, scan_id: str, *decisions: Decision) -> None:
    async with open_records(settings.daemon.records) as records:
        for decision in decisions:
            await add_review(records, scan_id, 1, decision, "", "Dr. Who")


async def remove_old(settings: Settings, days: float = 0.0, gigabytes: float = 0.0) -> int:
    daemon = settings.daemon
    async with open_index(daemon.index) as index, open_records(daemon.records) as records:
        return await Retention(daemon.outbox, days, gigabytes, index, records).remove_old()


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


@pytest.mark.parametrize("step", ["rename", "rmtree", "mark"])
async def test_a_crash_on_the_way_out_leaves_it_whole_or_known_as_gone(
    hospital: Settings, published: dict[str, str], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(hospital, published["A"], Decision.ACCEPTED)

    def crash(*_: object, **__: object) -> None:
        raise Crash

    place = {
        "rename": "pathlib.Path.rename",
        "rmtree": "daemon.operations.retention.shutil.rmtree",
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
    hospital: Settings, published: dict[str, str]
) -> None:
    await say(hospital, published["A"], Decision.ACCEPTED)
    daemon = hospital.daemon.model_copy(update={"keep_days": AT_ONCE})
    async with running_daemon(hospital.model_copy(update={"daemon": daemon})):
        await until(lambda: folders(hospital) == {"B", "C"})
    assert folders(hospital) == {"B", "C"}
