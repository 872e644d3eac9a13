"""The review of a scan: what it needs, that it is kept, and that it is about what was seen."""

from pathlib import Path

import pytest

from tests.test_viewer_setup import open_house

RIGHT = {"revision": "1", "decision": "accepted", "reviewer": "Dr. Who", "comment": ""}


async def test_a_review_stands_on_the_page_with_name_and_time(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1")
        assert "Nobody has reviewed this scan yet." in await house.page("/scans/scan1")
        assert (await house.post("/scans/scan1/reviews", RIGHT))[0] == 303
        wrong = {"decision": "rejected", "comment": "<b>a vein</b>"}
        assert (await house.post("/scans/scan1/reviews", {**RIGHT, **wrong}))[0] == 303
        page = await house.page("/scans/scan1")
        assert "Accepted by Dr. Who, 2" in page
        assert "&lt;b&gt;a vein&lt;/b&gt;" in page
        assert page.index("Rejected by") < page.index("Accepted by")


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"revision": "2"}, 409, "newer revision"),
        ({"decision": "fine"}, 400, "a decision and your name"),
        ({"reviewer": " "}, 400, "a decision and your name"),
        ({"decision": "needs_correction"}, 400, "what is wrong"),
        ({"reviewer": "x" * 101}, 400, "too long"),
        ({"csrf": "of another"}, 403, "out of date"),
    ],
)
async def test_a_review_that_cannot_be_taken(
    tmp_path: Path, change: dict[str, str], status: int, words: str
) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1")
        answer = await house.post("/scans/scan1/reviews", {**RIGHT, **change})
        assert answer[0] == status
        assert words in answer[1]
        assert "Nobody has reviewed" in await house.page("/scans/scan1")
