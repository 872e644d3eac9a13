"""The review of a scan: what it needs, that it is kept, and that nobody's word is lost."""

import re
from pathlib import Path

import pytest

from daemon.index.people.reviews import reviews_of
from daemon.permissions import Role
from tests.viewer.test_house import House, open_house
from viewer.sessions import RECORDS

RIGHT = {"revision": "1", "decision": "accepted", "seen": "1.0.0"}
WRONG = {**RIGHT, "decision": "rejected", "reason": "border", "comment": "<b>a vein</b>"}
WAY = "/scans/scan1/reviews"


async def seen(house: House, scan_id: str = "scan1") -> str:
    """What the form of a scan's page says that it has seen."""
    found = re.search(r'name="seen" value="([^"]+)"', await house.page(f"/scans/{scan_id}"))
    assert found is not None
    return found[1]


async def test_a_review_stands_on_the_page_with_reason_name_and_time(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1")
        page = await house.page("/scans/scan1")
        assert "Not reviewed." in page
        assert 'data-key="a"' in page
        assert 'data-key="n"' in page
        assert "Signed as N. Urse." in page
        answer = await house.post(WAY, RIGHT | {"reviewer": "somebody else"})
        assert answer == (303, "/scans/scan1?saved=1#review")
        assert (await house.post(WAY, {**WRONG, "seen": await seen(house)}))[0] == 303
        page = await house.page("/scans/scan1?saved=1")
        assert "Your review is saved" in page
        assert "<strong>Accepted</strong> by N. Urse, " in page
        assert "<strong>Rejected: wrong border</strong>" in page
        assert "&lt;b&gt;a vein&lt;/b&gt;" in page
        assert page.index("Rejected: ") < page.index("Accepted</strong>")
        said = await reviews_of(house.app[RECORDS], "scan1")
        assert said[0].drawn_by == "fedcba9876543210" * 4


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"revision": "7"}, 400, "no such revision"),
        ({"decision": "fine"}, 400, "choose a decision"),
        ({"decision": "needs_correction", "comment": " "}, 400, "what is wrong"),
        ({"decision": "rejected"}, 400, "choose the reason"),
        ({"decision": "rejected", "reason": "other"}, 400, "what is wrong"),
        ({"comment": "x" * 2001}, 400, "longer than 2000"),
        ({"csrf": "of another"}, 403, "out of date"),
        ({"seen": "1.9.0"}, 409, "not saved yet"),
    ],
)
async def test_a_review_that_cannot_be_taken(
    tmp_path: Path, change: dict[str, str], status: int, words: str
) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1")
        answer = await house.post(WAY, {**RIGHT, **change})
        assert answer[0] == status
        assert words in answer[1]
        assert "Not reviewed." in await house.page("/scans/scan1")


async def test_who_comes_second_is_told_and_may_still_say_it(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1")
        both_saw = await seen(house)
        await house.post(WAY, {**RIGHT, "seen": both_saw})
        await house.come_in("Zoë", Role.REVIEWER)
        status, page = await house.post(WAY, {**WRONG, "seen": both_saw})
        assert status == 409
        assert "N. Urse: Accepted." in page
        assert "Rejected: wrong border" in page
        sent = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        assert sent["comment"] == "&lt;b&gt;a vein&lt;/b&gt;"
        assert len(await reviews_of(house.app[RECORDS], "scan1")) == 1
        sent |= {"comment": WRONG["comment"]}
        assert (await house.post(WAY, sent))[0] == 303
        said = await reviews_of(house.app[RECORDS], "scan1")
        assert [(each.reviewer, str(each.decision)) for each in said] == [
            ("Zoë", "rejected"),
            ("N. Urse", "accepted"),
        ]
        assert (await house.post(WAY, sent))[0] == 409  # and once more it is old


async def test_who_wants_to_go_on_is_led_to_the_next_scan(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for name in ("scan1", "scan2"):
            await house.add_scan("P1", name)
        both_saw = await seen(house)
        answer = await house.post(WAY, {**RIGHT, "seen": both_saw, "go_on": "1"})
        assert answer == (303, "/next?after=scan1&saved=1")
        led = await house.client.get(answer[1], allow_redirects=False)
        assert led.headers["Location"] == "/scans/scan2?reviewed=1"
        assert "Your review of the scan before is saved." in await house.page(
            "/scans/scan2?reviewed=1"
        )
        late = await house.post(WAY, {**WRONG, "seen": both_saw, "go_on": "1"})
        assert late[0] == 409
        assert 'name="go_on" value="1"' in late[1]  # who confirms still goes on


async def test_the_next_unreviewed_scan_is_one_that_nobody_looked_at(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for number in (1, 2, 3):
            await house.add_scan(f"P{number}", f"scan{number}")
        await house.add_scan("P4", "scan4", finding="not_judged", lesions=[])
        await house.post("/scans/scan2/reviews", RIGHT)
        for here, there in (("scan1", "scan4"), ("scan4", "scan3"), ("scan3", "scan1")):
            answer = await house.client.get(f"/next?after={here}", allow_redirects=False)
            assert answer.headers["Location"] == f"/scans/{there}"
        for number in (1, 3):
            await house.post(f"/scans/scan{number}/reviews", RIGHT)
        answer = await house.client.get("/next?after=scan1", allow_redirects=False)
        assert answer.headers["Location"] == "/scans/scan4", "not analyzed, and not settled"
        settled = {"scan": "scan4", "action": "settle", "reason": "no_flair"}
        await house.post("/worklist/act", settled)
        assert "/?said=reviewed" in str((await house.client.get("/next?after=scan1")).url)
