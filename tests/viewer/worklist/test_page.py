"""The worklist's pages: states in words, last night's numbers, filters, search, paging."""

import re
from datetime import datetime
from pathlib import Path

import pytest

from daemon.index import ledger, queue
from daemon.index.people.reviews import Decision, add_review
from daemon.index.statistics import RECONCILE, beat
from tests.viewer.test_house import House, open_house
from tests.viewer.worklist.names_of_the_world import LOW
from viewer.sessions import INDEX, RECORDS
from viewer.templating import night_since


async def fill(house: House) -> None:
    """One row in each state."""
    index = house.app[INDEX]
    await house.add_patient("P1", name="Ada Lovelace")
    await house.add_scan("P1", "scan1")
    await house.add_scan("P0", "scan0", quality=[LOW])
    duplicate = await house.add_running("P1", "again.nii")
    await ledger.finish_duplicate(index, duplicate, "scan1")
    rejected = await house.add_running("P2", "broken.nii")
    await ledger.reject(index, rejected, "The file is empty.")
    await house.add_running("P3", "now.nii")
    await house.add_waiting("P4", "soon.nii")
    await house.add_waiting("P5", "copying.nii", rested=False)


def states(page: str) -> list[str]:
    """The states of the rows, in words."""
    return re.findall(r'class="state [a-z]+"(?: href="[^"]+")?>([^<]+)<', page)


async def test_every_state_in_words(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await fill(house)
        page = await house.page("/")
        clock = re.escape(datetime.now().astimezone().strftime("%Z"))
        assert re.sub(rf"\d\d:\d\d {clock}", "now", ", ".join(states(page))) == (
            "Failed, Needs review, Being copied, Waiting, Running since now, Done"
        )
        assert "The file is empty." in page
        assert "Ada Lovelace" in page
        assert "41.2 ml" in page
        assert ">First scan<" in page
        assert "The network was not sure of this mask." in page
        assert ">Not reviewed<" in page
        assert "broken.nii" not in page
        numbers = re.findall(r'href="([^"]+)"><b>(\d+)</b> ([a-z ]+)<', page)
        assert [(count, words) for _, count, words in numbers] == [
            ("6", "received"),
            ("1", "done"),
            ("1", "needs review"),
            ("1", "failed"),
            ("3", "waiting or running"),
            ("1", "duplicate"),
        ]
        for link, count, _ in numbers:
            assert len(states(await house.page(link.replace("&amp;", "&")))) == int(count)


async def test_changes_in_signs_and_in_words(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for number, (percent, ml) in enumerate(
            ((18.2, 3.0), (-4.6, -1.0), (0.2, 0.0), (None, 2.5))
        ):
            change = {"volume_percent": percent, "volume_ml": ml, "comparable": number != 1}
            await house.add_scan(f"P{number}", f"s{number}", change=change)
        page = await house.page("/")
        told = re.findall(r'aria-hidden="true">([^<]+)</span><span class="hidden">([^<]+)<', page)
        assert [each for each in told if each[1] != "Picture"] == [
            ("▲ 2.5 ml", "Larger by 2.5 ml"),
            ("▲ 18 %", "Larger by 18 %"),
            ("= same size", "Same size as before"),
            ("Not comparable", "Not comparable"),
        ]


async def test_a_change_stands_beside_what_repeated_measuring_varies(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for number, (percent, beyond, varies) in enumerate(
            ((18.2, False, 29.6), (-55.0, True, 22.0), (None, True, None), (0.2, False, 29.6))
        ):
            change = {"volume_percent": percent, "volume_ml": -1.0 if number == 1 else 2.5}
            chance = {"beyond_repeat": beyond, "repeat_percent": varies}
            whole = change | chance | {"repeat_range_ml": [0.0, 0.8], "comparable": True}
            await house.add_scan(f"P{number}", f"s{number}", change=whole)
        page = await house.page("/")
        told = re.findall(r'aria-hidden="true">([^<]+)</span><span class="hidden">([^<]+)<', page)
        said = "repeated measuring varies"
        assert [each for each in told if each[1] != "Picture"] == [
            ("▲ 2.5 ml, beyond ±0.8 ml", f"Larger by 2.5 ml: more than {said} (0.8 ml)"),
            ("▲ 18 %, within ±30 %", f"Larger by 18 %: within what {said} (30 %)"),
            ("= same size", "Same size as before"),
            ("▼ 55 %, beyond ±22 %", f"Smaller by 55 %: more than {said} (22 %)"),
        ]


async def test_a_search_combines_with_filters_and_its_text_is_in_no_address(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await fill(house)
        status, place = await house.post("/searches", {"back": "/?state=done", "text": "lovelace"})
        assert status == 303
        page = await house.page(place)
        assert states(page) == ["Done"]
        assert 'value="lovelace"' in page
        assert not re.search(r'(href|action|data-\w+)="[^"]*lovelace', page, re.IGNORECASE)
        assert states(await house.page(place.replace("state=done", "state=failed"))) == []
        gone = await house.page("/?q=unknown")
        assert "no longer known" in gone
        assert states(gone) == []


async def test_paging_shows_each_row_once_both_ways(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for number in range(120):
            await house.add_waiting(f"P{number:03}", "scan.nii")
        path, last = "/?state=open", ""
        seen: list[list[str]] = []
        while path and len(seen) < 5:
            page = await house.page(path)
            seen.append(re.findall(r'title="(P\d{3})"', page))
            later = re.search(r'href="([^"]+)"[^>]*>Next page<', page)
            path = later[1].replace("&amp;", "&") if later else ""
            last = page
        assert [len(part) for part in seen] == [50, 50, 20]
        flat = [patient for part in seen for patient in part]
        assert flat == [f"P{number:03}" for number in reversed(range(120))]
        before = re.search(r'href="([^"]+)"[^>]*>Previous page<', last)
        assert before is not None
        page = await house.page(before[1].replace("&amp;", "&"))
        assert re.findall(r'title="(P\d{3})"', page) == seen[1]


async def test_an_open_page_gets_its_rows_and_the_news(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "one")
        page = await house.page("/")
        (row_id,) = re.findall(r'id="row-(\d+)"', page)
        (mark,) = re.findall(r'data-mark="(\d+)"', page)
        asking = f"/worklist/rows?ids={row_id},999&since={mark}"
        quiet = await house.page(asking)
        assert f'<tr id="row-{row_id}" class="done">' in quiet
        assert '<tr id="row-999" class="gone">' in quiet
        assert "new or changed" not in quiet
        await house.add_waiting("P2", "soon.nii")
        await add_review(house.app[RECORDS], "one", 1, Decision.ACCEPTED, "", "Dr Ada")
        told = await house.page(asking)
        assert "Accepted: Dr Ada" in told
        assert "1 new or changed scan:" in told
        assert "new or changed" not in await house.page(f"{asking}&finding=tumor")


async def test_what_keeps_the_work_from_going_on_is_said(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        assert "is not being watched" in await house.page("/")
        await beat(house.app[INDEX], RECONCILE)
        assert 'role="alert"' not in await house.page("/")
        await queue.pause(house.app[INDEX], True)
        assert "Queue paused" in await house.page("/")


@pytest.mark.parametrize(
    "query",
    ["state=lost", "sort=name", "dir=up", "after=x", "before=-1", "first=1", "last=9999-01-01"],
)
async def test_addresses_that_mean_nothing(tmp_path: Path, query: str) -> None:
    async with open_house(tmp_path) as house:
        assert "There is no such" in await house.page(f"/?{query}", 404)


async def test_empty_fields_of_the_form_leave_the_address(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        path = "/?arrived=&state=failed&finding=&first=2024-02-29"
        answer = await house.client.get(path, allow_redirects=False)
        assert answer.headers["Location"] == "/?state=failed&first=2024-02-29"


async def test_the_word_after_an_upload_is_ours(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        assert "3 files received. The scan appears here" in await house.page("/?received=3")
        assert "1 file received" in await house.page("/?received=1")
        await house.page("/?received=%3Cb%3E", 404)


def test_the_night_begins_on_the_evening_before() -> None:
    morning = datetime(2026, 3, 2, 7, 30).astimezone()
    assert night_since(morning, 18).strftime("%d %H:%M") == "01 18:00"
    assert night_since(morning.replace(hour=18, minute=0), 18).strftime("%d %H:%M") == "02 18:00"
