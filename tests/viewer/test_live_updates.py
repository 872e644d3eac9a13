"""Live pages: the stream tells of changes by anybody, is bounded, and ends with the viewer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientResponse

from daemon.index.people.reviews import Decision, add_review
from tests.viewer.test_house import House, open_house
from viewer.live_updates import MOST_OF_SESSION
from viewer.sessions import RECORDS


@asynccontextmanager
async def stream(house: House) -> AsyncIterator[ClientResponse]:
    """A stream whose first event, that it has begun, has come."""
    async with house.client.get("/live") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        assert await _event(answer) == "changed"
        yield answer


async def _event(answer: ClientResponse, seconds: float = 5.0) -> str:
    """The name of the next event; '' at the end of the stream."""
    async with asyncio.timeout(seconds):
        async for line in answer.content:
            if line.startswith(b"event: "):
                return line[7:].decode().strip()
    return ""


async def test_every_page_hears_of_a_drop_and_of_a_review(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, stream(house) as one, stream(house) as other:
        await asyncio.sleep(1.2)  # what the start itself changed has been told
        await house.add_waiting("P1", "soon.nii")
        assert [await _event(one), await _event(other)] == ["changed", "changed"]
        await add_review(house.app[RECORDS], "s", 1, Decision.ACCEPTED, "", "Dr Ada")
        assert await _event(one) == "changed"


async def test_a_session_has_few_streams_and_the_oldest_goes(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, stream(house) as first:
        rest = [await house.client.get("/live") for _ in range(MOST_OF_SESSION)]
        told = [await _event(first) for _ in range(3)]
        assert "crowded" in told
        assert told[-1] == ""
        for answer in rest:
            assert await _event(answer) == "changed"
            answer.close()


async def test_the_end_of_the_viewer_ends_the_streams(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, stream(house) as answer:
        await house.app.shutdown()
        assert "" in [await _event(answer) for _ in range(3)]
        await house.page("/live", 503)


async def test_a_search_is_kept_in_the_session_alone(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        back = "/patients?sort=name&after=zz"
        status, place = await house.post("/searches", {"back": back, "text": " Ada  Lovelace "})
        assert status == 303
        assert place.startswith("/patients?sort=name&q=")
        assert "ovelace" not in place
        assert (await house.post("/searches", {"back": place, "text": ""}))[1] == (
            "/patients?sort=name"
        )
        assert await house.post("/searches", {"back": back, "text": "Ada Lovelace"}) == (303, place)
        for wrong in ("//elsewhere/patients", "https://elsewhere/", "/upload", ""):
            assert (await house.post("/searches", {"back": wrong, "text": "x"}))[0] == 400
        assert (await house.post("/searches", {"back": "/", "text": "x" * 101}))[0] == 400
        assert (await house.post("/searches", {"back": "/", "csrf": "no", "text": "x"}))[0] == 403
