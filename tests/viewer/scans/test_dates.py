"""A date that the file does not tell is entered on the scan's page, and a comparison is queued."""

from pathlib import Path
from typing import Any

import pytest

from daemon.drops import DropKind
from daemon.index import ledger
from daemon.index.people.overrides import entered_date
from daemon.permissions import Role
from tests.phantoms.reports import INPUT
from tests.viewer.test_house import PNG, House, open_house
from viewer.sessions import INDEX, RECORDS

UNDATED: dict[str, Any] = INPUT | {"acquired_at": None}


async def waiting(house: House) -> list[str]:
    drops = await ledger.open_drops(house.app[INDEX])
    return [each.drop.scan_to_analyze for each in drops if each.drop.kind is DropKind.COMPARE]


async def test_a_date_is_noted_with_who_and_when(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s1", input=UNDATED)
        page = await house.page("/scans/s1")
        assert "The file does not give an acquisition date." in page
        await house.come_in("Ada <L>", Role.UPLOADER)
        sent = {"acquired_on": "2024-02-29", "entered_by": "somebody else"}
        assert await house.post("/scans/s1/date", sent) == (303, "/scans/s1")
        assert await waiting(house) == ["s1"]
        entered = await entered_date(house.app[RECORDS], "s1")
        assert entered is not None
        assert (entered.acquired_on, entered.entered_by) == ("2024-02-29", "Ada <L>")
        page = await house.page("/scans/s1")
        assert 'value="2024-02-29"' in page
        assert "Entered by Ada &lt;L&gt;" in page
        assert "the new result will be available soon" in page
        assert "Compared again" in await house.page("/")
        await house.come_in("Bob")
        await house.post("/scans/s1/date", {"acquired_on": ""})
        entered = await entered_date(house.app[RECORDS], "s1")
        assert entered is not None
        assert (entered.acquired_on, entered.entered_by) == ("", "Bob")
        assert await waiting(house) == ["s1"]  # once


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"acquired_on": "2999-01-01"}, "not in the future"),
        ({"acquired_on": "1890-01-01"}, "after 1970"),
        ({"acquired_on": "yesterday"}, "This is not a date."),
    ],
)
async def test_what_cannot_be_is_refused(
    tmp_path: Path, sent: dict[str, str], sentence: str
) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s1", input=UNDATED)
        status, text = await house.post("/scans/s1/date", sent)
        assert status == 400
        assert sentence in text
        assert await waiting(house) == []
        assert await entered_date(house.app[RECORDS], "s1") is None


async def test_a_date_of_the_file_itself_stays(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s1")
        assert "Save date" not in await house.page("/scans/s1")
        sent = {"acquired_on": "2024-01-01"}
        status, text = await house.post("/scans/s1/date", sent)
        assert status == 400
        assert "The file itself gives" in text


async def test_only_our_own_form_is_taken(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s1", input=UNDATED)
        sent = {"acquired_on": "2024-01-01", "csrf": "other"}
        assert (await house.post("/scans/s1/date", sent))[0] == 403
        assert await waiting(house) == []
    async with open_house(tmp_path, enter=False) as house:
        assert (await house.post("/scans/s1/date", sent))[0] == 401


async def test_the_change_and_the_curve_stand_on_the_page(tmp_path: Path) -> None:
    change = {"words": "FLAIR change vs prior of 2024-01-31 (61 days): +3.0 ml."}
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s1", {"growth.png": PNG, "overlay.png": PNG}, change=change)
        page = await house.page("/scans/s1")
        assert "FLAIR change vs prior of 2024-01-31 (61 days): +3.0 ml." in page
        assert 'src="/scans/s1/files/growth.png?revision=1"' in page
        answer = await house.client.get("/scans/s1/files/growth.png")
        assert (answer.status, answer.content_type) == (200, "image/png")
