"""The system page: says how it is, and its buttons do what `gliowatch queue` does."""

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from daemon.drops import Drop, DropKind, DroppedFile, State
from daemon.index import ledger, queue
from daemon.index.notices import (
    MessageState,
    Notice,
    enter_notices,
    keep_targets,
    make_message,
    note_try,
    open_message,
)
from daemon.index.queue import failed, in_line
from daemon.index.statistics import RECONCILE, beat, nights
from daemon.operations import status
from daemon.operations.queue_control import reprocess_older
from daemon.outputs.wording import moment_words
from daemon.records.settled_scans import settle
from daemon.settings.notify import Event
from model.network.network import load_network
from model.weights_config import about_weights
from tests.viewer.scans.test_anyway import REFUSED
from tests.viewer.test_house import House, open_house
from viewer.sessions import INDEX, RECORDS

SECRET = "a-secret-of-16-characters"


async def press(house: House, action: str, scan: object = "", **more: str) -> tuple[int, str]:
    return await house.post("/system", {"action": action, "scan": str(scan), **more})


async def test_an_empty_index_and_a_daemon_that_stopped(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        page = await house.page("/system")
        assert "Stopped, has never run: nothing is analyzed; queue empty; disk" in page
        assert "Queue empty." in page
        assert "No failures." in page
        index = house.app[INDEX]
        await beat(index, RECONCILE)
        assert "Running; queue empty" in await house.page("/system/queue")
        await index.change("UPDATE heartbeats SET at = at - 3600")
        at = (await status.last_sign_of_life(index, 60)).at
        assert f"Stopped since {moment_words(at)}: nothing is analyzed" in await house.page(
            "/system"
        )


async def test_every_button_of_the_queue(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        index = house.app[INDEX]
        await beat(index, RECONCILE)
        running = await house.add_running("R", "r.nii")
        waiting = [await house.add_waiting(f"<i>P{n}</i>", "a.nii") for n in range(2)]
        resting = await house.add_waiting("Q", "q.nii", rested=False)
        page = await house.page("/system")
        assert "Running; 1 being analyzed, 2 waiting, 1 still arriving; time left not known" in page
        assert "&lt;i&gt;P1&lt;/i&gt;" in page
        assert "<i>P1" not in page
        assert "complete in 10 s if nothing changes" in page
        assert await press(house, "urgent", waiting[1]) == (303, "/system?done=urgent&count=1")
        order = [line.number for line in await in_line(index, 0)]
        assert order == [running.drop_id, waiting[1], waiting[0]]
        await press(house, "pause")
        assert "Paused: no new scan is started" in await house.page("/system")
        assert await queue.claim_next(index) is None
        await press(house, "resume")
        assert "Queue resumed." in await house.page("/system?done=resume&count=0")
        await press(house, "now", resting)
        assert await queue.wanted_at_once(index) == {resting}
        await press(house, "cancel", waiting[0])
        await press(house, "cancel", running.drop_id)
        assert await queue.asked_to_cancel(index) == {running.drop_id}
        assert "It was cancelled." in await house.page("/system/queue")
        assert (await press(house, "retry", waiting[0]))[1] == "/system?done=retry&count=1"
        await ledger.reject(index, running, "No <b>.")
        assert "No &lt;b&gt;." in await house.page("/system")
        assert (await press(house, "retry_all"))[1] == "/system?done=retry&count=1"
        assert await failed(index, 0) == []


async def test_a_study_counts_down_longer_than_a_file(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        file = DroppedFile(b"P/IM1", 1, 1, 1)
        study = Drop(b"P", "P", DropKind.DICOM, False, (file,))
        picture = Drop(b"Q/a.png", "Q", DropKind.IMAGE, False, (file,))
        await ledger.add_drops(house.app[INDEX], [study, picture])
        page = await house.page("/system/queue")
        seconds = [int(each) for each in re.findall(r"complete in (\d+) s", page)]
        assert sorted(second > 11 for second in seconds) == [False, True]
        assert max(seconds) <= 60


async def test_what_is_no_action_or_not_ours_does_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        number = await house.add_waiting("P", "a.nii")
        assert (await press(house, "drop tables", number))[0] == 400
        assert (await press(house, "cancel", "nobody-knows-this-scan"))[0] == 404
        assert (await press(house, "cancel", number, csrf="other"))[0] == 403
        assert (await ledger.open_drops(house.app[INDEX]))[0].state is State.WAITING
        assert "done=x" not in await house.page("/system?done=x&count=y&queue=-1&failed=%00")


async def test_scans_of_older_weights_are_analyzed_again_once_confirmed(tmp_path: Path) -> None:
    weights = about_weights()
    assert weights is not None
    used = {"name": weights.name, "weights_sha256": weights.sha256, "threshold": 0.5}
    async with open_house(tmp_path) as house:
        index = house.app[INDEX]
        for name in ("s1", "s2"):
            await house.add_scan(name, name)
        await house.add_scan("s3", "s3", model=used)
        assert "2 scans were analyzed with other weights" in await house.page("/system")
        status, text = await press(house, "reprocess_older", confirmed="3")
        assert status == 400
        assert "type the number of scans" in text
        assert await ledger.open_drops(index) == []
        assert (await press(house, "reprocess", "s1"))[1] == "/system?done=reprocess&count=1"
        done = await press(house, "reprocess_older", confirmed="2")
        assert done == (303, "/system?done=reprocess&count=1")  # s1 was queued already
        waiting = [queued.drop for queued in await ledger.open_drops(index)]
        assert [(drop.kind, drop.scan_to_analyze) for drop in waiting] == [
            (DropKind.AGAIN, "s1"),
            (DropKind.AGAIN, "s2"),
        ]
        assert await reprocess_older(index, weights.sha256) == 0


async def test_folders_settings_and_no_secret(tmp_path: Path) -> None:
    from pydantic import SecretStr

    async with open_house(tmp_path, metrics_token=SecretStr(SECRET)) as house:
        page = await house.page("/system")
        assert SECRET not in page
        assert "**********" in page
        assert "rest_seconds</dt><dd>10.0" in page
        assert page.count("a file was written there just now") == 2
        assert not any(name.startswith(".gliowatch-") for name in os.listdir(tmp_path / "inbox"))
        (tmp_path / "outbox").rmdir()
        page = await house.page("/system")
        assert "The folder does not exist or does not respond." in page
        assert "the disk of the outbox does not respond" in page


async def test_a_long_queue_has_pages(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for number in range(52):
            await house.add_waiting(f"P{number}", "a.nii")
        first, second = await house.page("/system"), await house.page("/system?queue=1")
        assert (first.count(">Cancel<"), second.count(">Cancel<")) == (50, 2)
        assert "51 to 52 of 52" in second


async def test_nights_are_counted_by_the_index(tmp_path: Path) -> None:
    noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    async with open_house(tmp_path) as house:
        index = house.app[INDEX]
        for number in range(20):
            scan = await house.add_scan(f"P{number}", f"s{number}")
            seen = noon + timedelta(hours=1)
            times = [at.isoformat(timespec="milliseconds") for at in _times(seen, number + 1)]
            sql = "UPDATE drops SET seen_at = ?, rested_at = ?, ended_at = ? WHERE scan_id = ?"
            await index.change(sql, (*times, scan.scan_id))
            arrived = "UPDATE worklist SET arrived_at = ? WHERE scan_id = ?"
            await index.change(arrived, (times[0], scan.scan_id))
        claim = await house.add_running("F", "f.nii")
        await ledger.reject(index, claim, "No.")
        spans = [(day.isoformat(), (day + timedelta(days=1)).isoformat()) for day in _days(noon)]
        tonight, before = await nights(index, spans)
        counts = (tonight.received, tonight.done, tonight.review, tonight.failed)
        assert counts == (20, 20, 0, 0)
        assert tonight.median == pytest.approx(10, abs=0.01)  # nearest rank of 1 … 20 s
        assert tonight.p95 == pytest.approx(19, abs=0.01)
        assert (before.received, before.done, before.median) == (0, 0, None)
        newest = (await status.last_nights(index, datetime.now(UTC).astimezone(), 18))[0]
        assert (newest.received, newest.failed) == (1, 1)


async def test_worklist_system_and_metrics_count_the_same(tmp_path: Path) -> None:
    token = "0123456789abcdef"
    async with open_house(tmp_path, metrics_token=SecretStr(token)) as house:
        for number in range(4):
            changes: dict[str, Any] = {"quality": []}
            if number < 2:
                changes = {"finding": "not_judged", "quality": REFUSED}
            await house.add_scan(f"P{number}", f"s{number}", **changes)
        claim = await house.add_running("F", "f.nii")
        await ledger.reject(house.app[INDEX], claim, "No.")
        await settle(house.app[INDEX], house.app[RECORDS], ["s0"], "no_flair", "", "Ada")
        page = await house.page("/")
        shown = dict(re.findall(r'href="/\?(?:state=)?(\w+)[^"]*arrived=night"><b>(\d+)', page))
        table = r">Needs review</th>.*?<tbody><tr>(.*?)</tr>"
        system = re.search(table, await house.page("/system"), re.S)
        assert system is not None
        cells = re.findall(r"<td>(\d+)</td>", system[1])
        bearer = {"Authorization": f"Bearer {token}"}
        answer = await house.client.get("/metrics", headers=bearer)
        told = dict(re.findall(r'gliowatch_arrived{state="(\w+)"} (\d+)', await answer.text()))
    assert cells == ["5", "3", "1", "1"]  # received, done, needs review, failed
    assert told == {"done": "3", "review": "1", "failed": "1"}
    assert {name: shown[name] for name in told} == told


def test_the_weights_tell_their_name_without_torch(tmp_path: Path) -> None:
    network = load_network()
    known = about_weights()
    assert known is not None
    assert (known.name, known.sha256) == (network.name, network.sha256)
    odd = tmp_path / "odd.pth"
    odd.write_bytes(os.urandom(64))
    told = about_weights(odd)
    assert told is not None
    assert told.name == "odd"
    assert about_weights(tmp_path / "none") is None


def _times(seen: datetime, seconds: int) -> tuple[datetime, datetime, datetime]:
    """Seen, at rest, published."""
    rested = seen + timedelta(seconds=10)
    return seen, rested, rested + timedelta(seconds=seconds)


def _days(noon: datetime) -> tuple[datetime, datetime]:
    return noon, noon - timedelta(days=1)


async def test_the_page_tells_of_notifications(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(tmp_path) as house:
        assert "Notifications" not in await house.page("/system")
    to = {"name": "it", "addresses": ["it@hospital.example"]}
    monkeypatch.setenv("GLIOWATCH_NOTIFY__TO", json.dumps([to]))
    async with open_house(tmp_path) as house:
        page = await house.page("/system")
        assert "Notifications" in page
        assert "0 to be sent, 0 further events" in page
        index = house.app[INDEX]
        place = ("it", "it@hospital.example")
        await keep_targets(index, [place])
        notice = Notice("k", Event.FAILED, "2027-03-29T05:00:00.000+00:00")
        await enter_notices(index, [("it", notice)], {})
        assert "0 to be sent, 1 further event" in await house.page("/system")
        await make_message(index, *place, last=1)
        message = await open_message(index, *place)
        assert message is not None
        await note_try(
            index,
            message.message_id,
            state=MessageState.WAITING,
            pause=1.0,
            code="451",
            reason="server",
        )
        page = await house.page("/system")
        assert "1 to be sent, 0 further events" in page
        assert "the server asks for a later try (451)" in page
