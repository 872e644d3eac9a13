"""A real receiver that checks signatures as the documents say, and what its answers mean."""

import asyncio
import re
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from daemon.notifications.channels import Answer, Outcome, later
from daemon.notifications.messages import trial
from daemon.notifications.webhook import Webhook, signed_headers
from tests.conftest import ROOT
from tests.daemon.notifications.receivers import hook, make_certificate
from tests.daemon.notifications.site import notify, receiver

SECRET = "a secret of a hook, long enough"
MESSAGE = trial("5f0c" * 8, "https://flair.hospital.example")


def is_genuine(*args: Any) -> bool:
    """As the documents show it."""
    page = (ROOT / "docs" / "notifications.md").read_text()
    found: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[-1], found)
    return bool(found["is_genuine"](*args))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    return file


async def send(url: str, secret: Path | None, ca: str = "", **changes: Any) -> Answer:
    file = str(secret or "/nowhere")
    to = receiver(by="webhook", addresses=(), url=url, secret_file=file, tls_ca=ca)

    async def handing() -> None:
        return

    return await Webhook(notify(to, **changes), to).send(MESSAGE, "", handing)


async def test_it_is_signed_and_an_old_or_changed_one_is_refused(secret: Path) -> None:
    async with hook() as its:
        assert await send(its.url, secret) == Answer(Outcome.SENT, "204", "sent")
    ((headers, body),) = its.came
    assert body == MESSAGE.body
    assert headers["Gliowatch-Id"] == MESSAGE.message_id
    assert is_genuine(headers, body, SECRET)
    assert not is_genuine(headers, body + b" ", SECRET)
    assert not is_genuine(headers, body, "another secret")
    earlier = {"Gliowatch-Time": str(int(headers["Gliowatch-Time"]) - 1)}
    assert not is_genuine(headers | earlier, body, SECRET)
    assert not is_genuine({}, body, SECRET)
    old = signed_headers(SECRET, MESSAGE, int(time.time()) - 301)
    assert not is_genuine(old, MESSAGE.body, SECRET)
    assert is_genuine(old, MESSAGE.body, SECRET, 400)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, Answer(Outcome.SENT, "200", "sent")),
        (302, Answer(Outcome.REFUSED, "302", "http")),
        (400, Answer(Outcome.REFUSED, "400", "http")),
        (403, later("not_authorized", "403")),
        (404, later("server", "404")),
        (429, later("server", "429")),
        (503, later("server", "503")),
    ],
)
async def test_what_a_status_means(secret: Path, status: int, answer: Answer) -> None:
    async with hook() as its, hook() as other:
        its.status, its.location = status, other.url if status == 302 else ""
        assert await send(its.url, secret) == answer
        assert len(its.came) == 1
        assert other.came == []


async def test_nobody_there_and_nobody_who_answers(secret: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        answer = await send(f"http://127.0.0.1:{port}/", secret, answer_seconds=0.3)
        assert answer == later("no_answer")
    assert await send(f"http://127.0.0.1:{port}/", secret) == later("no_connection")
    assert await send(f"http://127.0.0.1:{port}/", None) == later("secret")
    assert await send("http://no-such-host.invalid/", secret) == later("address")


async def test_a_server_that_breaks_off_is_told_again(secret: Path) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.close()

    async with await asyncio.start_server(rude, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await send(f"http://127.0.0.1:{port}/", secret) == later("no_answer")


@pytest.mark.long
async def test_https_goes_to_whom_the_authority_has_signed(secret: Path, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    async with hook(context) as its:
        url = its.url.replace("127.0.0.1", "localhost")
        assert await send(url, secret) == later("certificate")
        trusted = await send(url, secret, str(certificate))
        assert trusted == Answer(Outcome.SENT, "204", "sent")
        other = await send(its.url, secret, str(certificate))  # it has no such name
        assert other == later("certificate")
        assert len(its.came) == 1
