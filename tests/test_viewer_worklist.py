"""The worklist: states in words, counts, filters, paging, the word after an upload."""

import re
from pathlib import Path

import pytest

from daemon.index import ledger
from tests.test_viewer_setup import House, open_house
from viewer.keys import INDEX


async def _fill(house: House) -> None:
    """One drop in each state, and one that is still being copied."""
    index = house.app[INDEX]
    await house.add_patient("P1", name="Ada Lovelace")
    await house.add_scan("P1", "scan1")
    duplicate = await house.add_running("P1", "again.nii")
    await ledger.finish_duplicate(index, duplicate, "scan1")
    rejected = await house.add_running("P2", "broken.nii")
    await ledger.reject(index, rejected, "The file is empty.")
    await house.add_running("P3", "now.nii")
    await house.add_waiting("P4", "soon.nii")
    await house.add_waiting("P5", "copying.nii", rested=False)


async def test_every_state_in_words(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await _fill(house)
        page = await house.page("/")
        words = re.findall(r'class="state [a-z]+">([^<]+)<', page)
        assert words == ["Being copied", "Waiting", "Running", "Rejected", "Duplicate", "Done"]
        assert "The file is empty." in page
        assert "Ada Lovelace" in page
        assert ">P2</a>" in page
        assert "FLAIR abnormality (whole tumor)" in page
        assert "41.2 ml" in page
        assert "Right" in page
        assert "2024-05-06 07:08" in page
        assert 'title="The file carries no date."' in page
        assert page.count("<img") == 1
        assert "broken.nii" not in page


async def test_counts_and_filters(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await _fill(house)
        counts = re.findall(r'state=(\w+)"[^>]*>\w+ <strong>(\d+)<', await house.page("/"))
        assert dict(counts) == {
            "waiting": "2",
            "running": "1",
            "done": "1",
            "duplicate": "1",
            "rejected": "1",
        }
        for state, count in counts:
            page = await house.page(f"/?state={state}")
            assert page.count(f'class="state {state}"') == page.count('class="state') == int(count)


async def test_paging_shows_each_drop_once(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for number in range(120):
            await house.add_waiting(f"P{number:03}", "scan.nii")
        path, seen = "/?state=waiting", []
        while path:
            page = await house.page(path)
            seen.append(re.findall(r">(P\d{3})</a>", page))
            older = re.search(r'href="([^"]+)">Older<', page)
            path = older[1].replace("&amp;", "&") if older else ""
        assert [len(part) for part in seen] == [50, 50, 20]
        assert [patient for part in seen for patient in part] == [
            f"P{number:03}" for number in reversed(range(120))
        ]


@pytest.mark.parametrize("query", ["state=lost", "before=x", "before=-1", "before=" + "9" * 40])
async def test_addresses_that_mean_nothing(tmp_path: Path, query: str) -> None:
    async with open_house(tmp_path) as house:
        assert "There is no such" in await house.page(f"/?{query}", 404)


async def test_the_word_after_an_upload_is_ours(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        assert "3 files received; the scan appears here" in await house.page("/?received=3")
        assert "1 file received" in await house.page("/?received=1")
        await house.page("/?received=%3Cb%3E", 404)


async def test_a_scan_that_was_not_judged(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s", finding="not_judged", volume_ml=None, lesions=[])
        page = await house.page("/")
        assert ">Not judged</a>" in page
