"""Small pictures of scans, and the way from one scan to the next that nobody has reviewed."""

import os
from io import BytesIO
from pathlib import Path

from PIL import Image

from daemon.index.people.reviews import Decision, add_review
from tests.viewer.test_house import open_house
from tests.viewer.worklist.names_of_the_world import LOW
from viewer.sessions import RECORDS


async def test_a_thumbnail_is_small_and_made_of_the_overlay(tmp_path: Path) -> None:
    picture = BytesIO()
    Image.effect_noise((700, 500), 60).convert("RGB").save(picture, "PNG")
    async with open_house(tmp_path) as house:
        scan = await house.add_scan("P1", "seen", {"overlay.png": picture.getvalue()})
        await house.add_scan("P2", "broken", {"overlay.png": b"\x89PNG no picture"})
        await house.add_scan("P3", "bare", {"report.json": b"{}"})
        answer = await house.client.get("/scans/seen/thumb.png")
        small = await answer.read()
        assert Image.open(BytesIO(small)).size == (96, 69)
        os.unlink(house.settings.daemon.outbox / os.fsdecode(scan.folder) / "seen_overlay.png")
        await house.page("/scans/seen/thumb.png", 404)
        await house.page("/scans/broken/thumb.png", 404)
        await house.page("/scans/bare/thumb.png", 404)


async def test_next_leads_through_all_that_nobody_has_reviewed(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:

        async def leads(path: str) -> str:
            answer = await house.client.get(path, allow_redirects=False)
            return answer.headers["Location"]

        assert await leads("/next") == "/?said=reviewed"
        await house.add_scan("P1", "plain")
        await house.add_scan("P2", "odd", quality=[LOW])
        assert await leads("/next") == "/scans/odd"
        assert await leads("/next?after=odd") == "/scans/plain"
        assert await leads("/next?after=plain") == "/scans/odd"
        await add_review(house.app[RECORDS], "odd", 1, Decision.ACCEPTED, "", "Dr Ada")
        assert await leads("/next") == "/scans/plain"
        assert await leads("/next?after=plain") == "/?said=reviewed"
