"""What a scan's page, the API and the metrics tell of archives; the button that sends again."""

from pathlib import Path

from pydantic import SecretStr

from daemon.index.sent_objects import (
    Failure,
    Outgoing,
    SendState,
    due_objects,
    enter_objects,
    note_failure,
    wishes,
)
from daemon.permissions import Role
from daemon.settings.archives import Destination
from tests.viewer.test_house import House, open_house
from viewer.sessions import INDEX, SETTINGS

SCAN = "a" * 20
TOKEN = "a-token-for-prometheus"


async def with_object(house: House) -> None:
    """A scan with one object that an archive refused; the settings name the archive."""
    to = Destination(name="pacs", host="127.0.0.1", called_ae_title="PACS1")
    settings = house.app[SETTINGS].now
    dicom = settings.dicom.model_copy(update={"send": (to,)})
    house.app[SETTINGS].now = settings.model_copy(update={"dicom": dicom})
    await house.add_scan("P1", SCAN)
    index = house.app[INDEX]
    await enter_objects(index, "pacs", b"P1/x", [Outgoing("0" * 64, SCAN, 1, "sr", b"P1/x/sr.dcm")])
    (each,) = await due_objects(index, "pacs", 5)
    await note_failure(
        index, each.number, Failure(SendState.GIVEN_UP, 10, 0.0, "C000", "not_understood")
    )


async def test_the_page_tells_what_was_sent_and_the_button_asks_again(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await with_object(house)
        page = await house.page(f"/scans/{SCAN}")
        assert "given up" in page
        assert "The archive does not understand the object. (C000)" in page
        assert "The sender does not run." in page
        status, where = await house.post(f"/scans/{SCAN}/send", {})
        assert (status, where) == (303, f"/scans/{SCAN}#sent")
        assert [scan for _, scan in await wishes(house.app[INDEX])] == [SCAN]
        assert "sent again as soon as" in await house.page(f"/scans/{SCAN}")


async def test_who_only_reads_sees_it_without_the_button(tmp_path: Path) -> None:
    async with open_house(tmp_path, role=Role.READER) as house:
        await with_object(house)
        page = await house.page(f"/scans/{SCAN}")
        assert "given up" in page
        assert "Send again" not in page
        status, _ = await house.post(f"/scans/{SCAN}/send", {})
        assert status == 403
        assert await wishes(house.app[INDEX]) == []


async def test_without_an_archive_the_page_says_nothing_of_it(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", SCAN)
        assert "Sent to archives" not in await house.page(f"/scans/{SCAN}")
        status, _ = await house.post(f"/scans/{SCAN}/send", {})
        assert status == 409


async def test_the_api_lists_it_and_metrics_count_it(tmp_path: Path) -> None:
    async with open_house(tmp_path, metrics_token=SecretStr(TOKEN)) as house:
        await with_object(house)
        answer = await house.client.get(f"/api/v1/scans/{SCAN}/sent")
        (line,) = (await answer.json())["objects"]
        assert (line["destination"], line["kind"], line["state"]) == ("pacs", "sr", "given_up")
        assert (line["tries"], line["code"], line["reason"]) == (10, "C000", "not_understood")
        headers = {"Authorization": f"Bearer {TOKEN}"}
        numbers = await (await house.client.get("/metrics", headers=headers)).text()
        assert 'gliowatch_send_objects{destination="pacs",state="given_up"} 1.0' in numbers
        assert 'gliowatch_send_oldest_seconds{destination="pacs"} 0.0' in numbers
