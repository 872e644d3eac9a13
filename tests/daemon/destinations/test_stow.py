"""STOW-RS to a service in this process, and what its responses mean."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from daemon.dicom_node.peer_answers import Answer, PeerAway, Verdict
from daemon.dicom_node.stow_client import answer_of
from daemon.index.sent_objects import SendState
from tests.daemon.destinations.archive import destination, send_all, site_in


@asynccontextmanager
async def service(status: int, said: object) -> AsyncIterator[tuple[str, list[tuple[str, bytes]]]]:
    """One that answers so; its address, and header and body of each request."""
    came: list[tuple[str, bytes]] = []

    async def store(request: web.Request) -> web.Response:
        came.append((request.headers.get("Authorization", ""), await request.read()))
        kind = "application/dicom+json"
        return web.Response(status=status, text=json.dumps(said), content_type=kind)

    app = web.Application(client_max_size=10**8)
    app.router.add_post("/dicom-web/studies", store)
    async with TestServer(app) as server:
        yield str(server.make_url("/dicom-web")), came


async def test_each_object_is_one_request_with_its_bytes_and_the_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACS_HEADER", "Authorization: Bearer abc")
    async with site_in(tmp_path) as site, service(200, {}) as (url, came):
        to = destination(1, protocol="STOW-RS", url=url, header_variable="PACS_HEADER")
        sender = await site.sender(to)
        await site.publish("a" * 20, "seg sr")
        await send_all(sender)
        files = sorted((site.settings.daemon.outbox / "P").rglob("*.dcm"))
        assert [header for header, _ in came] == ["Bearer abc"] * 2
        for path, (_, body) in zip(files, came, strict=True):
            assert path.read_bytes() in body
        assert {row.state for row in await site.rows("a" * 20)} == {SendState.SENT}


async def test_a_service_that_lets_nobody_in_gives_up_nothing(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site, service(401, {}) as (url, came):
        sender = await site.sender(destination(1, protocol="STOW-RS", url=url, tries=1))
        await site.publish("a" * 20, "seg sr")
        await send_all(sender)
        assert len(came) == 1
        assert {row.state for row in await site.rows("a" * 20)} == {SendState.WAITING}


def failed(reason: int) -> bytes:
    return json.dumps({"00081198": {"Value": [{"00081197": {"Value": [reason]}}]}}).encode()


@pytest.mark.parametrize(
    ("status", "said", "answer"),
    [
        (200, b"", Answer(Verdict.STORED, "200", "stored")),
        (200, b"<xml/>", Answer(Verdict.STORED, "200", "stored")),
        (409, failed(0x0111), Answer(Verdict.STORED, "0111", "duplicate")),
        (409, failed(0xA700), Answer(Verdict.LATER, "A700", "no_room")),
        (202, failed(0xC000), Answer(Verdict.REFUSED, "C000", "not_understood")),
        (409, failed(0x0110), Answer(Verdict.REFUSED, "0110", "processing")),
        (415, b"", Answer(Verdict.REFUSED, "415", "http")),
        (503, b"", Answer(Verdict.LATER, "503", "server")),
        (429, b"", Answer(Verdict.LATER, "429", "server")),
    ],
)
def test_what_a_response_means(status: int, said: bytes, answer: Answer) -> None:
    assert answer_of(status, said) == answer


@pytest.mark.parametrize(("status", "reason"), [(403, "not_authorized"), (404, "address")])
def test_a_response_that_is_about_the_address(status: int, reason: str) -> None:
    with pytest.raises(PeerAway) as caught:
        answer_of(status, b"")
    assert caught.value.reason == reason
