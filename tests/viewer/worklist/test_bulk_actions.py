"""Several scans at once: who may settle them, what the lists and the audit say, the API."""

from pathlib import Path

import pytest

from daemon.index.people.audit import page_of_audit
from daemon.index.people.triage.settled_scans import settlings_of
from daemon.permissions import Role
from tests.viewer.scans.test_anyway import REFUSED
from tests.viewer.test_house import House, open_house
from viewer.sessions import RECORDS

ACT = "/worklist/act"


async def fill(house: House) -> None:
    """Three that were not analyzed, one that was."""
    for number in (1, 2, 3):
        await house.add_scan(f"P{number}", f"n{number}", finding="not_judged", quality=REFUSED)
    await house.add_scan("P4", "s4")


async def act(house: House, action: str, *scans: str, **fields: str) -> tuple[int, str]:
    """Send the form of the list; status, and where it leads or the page's text."""
    data = [("csrf", house.csrf), ("action", action), *(("scan", each) for each in scans)]
    data += list(fields.items())
    answer = await house.client.post(ACT, data=data, allow_redirects=False)
    return answer.status, answer.headers.get("Location", await answer.text())


async def test_many_are_settled_and_taken_back(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await fill(house)
        assert (await house.page("/?state=review&arrived=all")).count("<tr id=") == 3
        way = {"reason": "no_flair", "back": "/?state=review&arrived=all"}
        status, there = await act(house, "settle", "n1", "n2", "s4", **way)
        assert status == 303
        assert there == "/?state=review&arrived=all&said=settle&count=2"
        page = await house.page(there)
        assert "2 scans settled" in page
        assert page.count("<tr id=") == 1
        page = await house.page("/?state=settled&arrived=all")
        assert page.count(">Seen, no FLAIR: N. Urse<") == 2
        assert page.count("<tr id=") == 2
        assert "<b>1</b> needs review" in await house.page("/")
        status, there = await act(house, "take_back", "n1", "n2", "n3", back="/")
        assert there == "/?said=take_back&count=2"
        assert "2 scans need review again" in await house.page(there)
        assert "<b>3</b> need review" in await house.page("/")
        entries = await page_of_audit(house.app[RECORDS], limit=9)
        told = [(each.action, each.subject) for each in entries if "settled" in each.detail]
        assert told == [("review", each) for each in ("n2", "n1", "n2", "n1")]


async def test_next_leads_to_what_was_not_analyzed_until_it_is_settled(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await fill(house)
        assert str((await house.client.get("/next?after=n3")).url).endswith("/scans/n2")
        await act(house, "settle", "n1", "n2", "n3", reason="not_needed")
        assert str((await house.client.get("/next?after=n3")).url).endswith("/scans/s4")


async def test_one_is_settled_on_its_page(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await fill(house)
        page = await house.page("/scans/n1")
        assert 'value="settle"' in page
        assert 'value="settle"' not in await house.page("/scans/s4")
        back = "/scans/n1#review"
        status, there = await act(
            house, "settle", "n1", reason="other", comment="<i>a knee</i>", back=back
        )
        assert (status, there) == (303, "/scans/n1?said=settle&count=1#review")
        page = await house.page("/scans/n1")
        assert "&lt;i&gt;a knee&lt;/i&gt;" in page
        assert 'value="take_back"' in page


@pytest.mark.parametrize(
    ("action", "scans", "fields", "status"),
    [
        ("settle", (), {"reason": "no_flair"}, 400),
        ("settle", ("n1",), {}, 400),
        ("settle", ("n1",), {"reason": "rule"}, 400),
        ("settle", ("n1",), {"reason": "other"}, 400),
        ("settle", ("n1",) * 201, {"reason": "no_flair"}, 400),
        ("drop", ("n1",), {}, 400),
        ("reprocess", ("nobody",), {}, 404),
    ],
)
async def test_what_cannot_be_done_is_said_and_not_done(
    tmp_path: Path, action: str, scans: tuple[str, ...], fields: dict[str, str], status: int
) -> None:
    async with open_house(tmp_path) as house:
        await fill(house)
        assert (await act(house, action, *scans, **fields))[0] == status
        assert await settlings_of(house.app[RECORDS], "n1") == []


async def test_no_other_site_is_led_to(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await fill(house)
        _, there = await act(house, "settle", "n1", reason="no_flair", back="//evil.example/")
        assert there == "/?said=settle&count=1"


@pytest.mark.parametrize("role", list(Role))
async def test_who_may_not_review_is_shown_nothing_of_it(tmp_path: Path, role: Role) -> None:
    async with open_house(tmp_path) as house:
        await fill(house)
        await house.page("/?arrived=all")  # kept rows of an administrator
        await house.come_in("Someone", role)
        may = role in (Role.REVIEWER, Role.ADMIN)
        list_page = await house.page("/?arrived=all")
        rows = await house.page("/worklist/rows?ids=1,2,3,4&since=0&arrived=all")
        for page in (list_page, rows):
            assert ('name="scan"' in page) is may
        assert (ACT in list_page) is may
        assert (ACT in await house.page("/scans/n1")) is may
        status, _ = await act(house, "settle", "n1", reason="no_flair")
        assert status == (303 if may else 403)


async def test_chosen_scans_are_analyzed_again(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await fill(house)
        status, there = await act(house, "reprocess", "n1", "s4", back="/?arrived=all")
        assert (status, there) == (303, "/?arrived=all&said=reprocess&count=2")
        assert (await house.page(there)).count("being reprocessed") >= 2
        told = {each.subject for each in await page_of_audit(house.app[RECORDS], limit=5)}
        assert {"n1", "s4"} <= told
