"""Mails to a real SMTP server, in all the trouble that one can be in."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from daemon.notifications.channels import Answer, Outcome, later
from daemon.notifications.mail import Mail
from daemon.notifications.messages import trial
from tests.daemon.notifications.receivers import PASSWORD, USER, mail_server, make_certificate
from tests.daemon.notifications.site import SENT, notify, receiver

pytestmark = pytest.mark.long

ADDRESS = "ada@hospital.example"
MESSAGE = trial("5f0c" * 8, "https://flair.hospital.example")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


async def send(port: int, ca: Path | None, **changes: Any) -> tuple[Answer, bool]:
    """The answer, and whether the mail was handed over."""
    handed = False
    values = {"mail_port": port, "mail_ca": str(ca or "")} | changes

    async def handing() -> None:
        nonlocal handed
        handed = True

    answer = await Mail(notify(receiver(), **values)).send(MESSAGE, ADDRESS, handing)
    return answer, handed


async def test_a_mail_goes_encrypted_to_a_server_with_the_right_certificate(
    certificate: tuple[Path, Path],
) -> None:
    async with mail_server(*certificate) as box:
        assert await send(box.port, certificate[0]) == (SENT, True)
        ((address, content),) = box.came
        (mail,) = box.mails
    assert b"\n" not in content.replace(b"\r\n", b"")  # some servers refuse such lines
    assert address == ADDRESS
    assert mail["To"] == ADDRESS
    assert mail["Subject"] == MESSAGE.subject
    assert mail["Message-ID"] == f"<{MESSAGE.message_id}@hospital.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().replace("\r\n", "\n").strip() == MESSAGE.text.strip()


async def test_a_login_with_a_password_from_a_file(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    file = tmp_path / "password"
    async with mail_server(*certificate, needs_login=True) as box:
        login = {"mail_user": USER, "mail_password_file": str(file)}
        assert await send(box.port, certificate[0], **login) == (later("secret"), False)
        file.write_text(f"{PASSWORD}\n")
        assert await send(box.port, certificate[0], **login) == (SENT, True)
        file.write_text("another\n")
        answer = later("not_authorized", "535")
        assert await send(box.port, certificate[0], **login) == (answer, False)
        assert len(box.came) == 1


async def test_a_wrong_certificate_gets_nothing(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    async with mail_server(*certificate) as box:
        assert await send(box.port, None) == (later("certificate"), False)
    others = make_certificate(tmp_path, "other.example")
    async with mail_server(*others) as box:  # trusted, but another server's
        assert await send(box.port, others[0]) == (later("certificate"), False)
        assert box.came == []


async def test_a_server_without_tls_gets_nothing_unless_it_is_on_this_machine() -> None:
    async with mail_server(None, None) as box:
        assert await send(box.port, None) == (later("no_tls"), False)
        assert box.came == []
        assert await send(box.port, None, mail_tls="none") == (SENT, True)


async def test_tls_from_the_first_byte(certificate: tuple[Path, Path]) -> None:
    said: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        is_data = False
        while line := await reader.readline():
            said.append(line)
            if is_data:
                if line == b".\r\n":
                    is_data = False
                    writer.write(b"250 OK\r\n")
                continue
            is_data = line.upper().startswith(b"DATA")
            writer.write(b"354 go on\r\n" if is_data else b"250 OK\r\n")
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    async with await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        assert await send(port, certificate[0], mail_tls="tls") == (SENT, True)
    assert f"RCPT TO:<{ADDRESS}>\r\n".encode().lower() in [line.lower() for line in said]


@pytest.mark.parametrize(
    ("said", "answer", "handed"),
    [
        ({"rcpt": "451 greylisted"}, later("server", "451"), False),
        ({"rcpt": "550 no such user"}, Answer(Outcome.REFUSED, "550", "refused"), False),
        ({"data": "452 no room"}, later("server", "452"), True),
        ({"data": "554 no"}, Answer(Outcome.REFUSED, "554", "refused"), True),
        ({"data": "break"}, Answer(Outcome.UNCLEAR, "", "broken_off"), True),
    ],
)
async def test_a_server_that_says_no_or_later_or_breaks_off(
    certificate: tuple[Path, Path], said: dict[str, str], answer: Answer, handed: bool
) -> None:
    async with mail_server(*certificate, said=said) as box:
        assert await send(box.port, certificate[0]) == (answer, handed)


async def test_a_silent_server_and_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        seconds = {"answer_seconds": 0.3}
        assert await send(port, None, **seconds) == (later("no_answer"), False)
    assert await send(port, None) == (later("no_connection"), False)
    assert await send(port, None, mail_host="no-such-host.invalid") == (later("address"), False)
