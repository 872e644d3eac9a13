"""Who is told, in this process: a mail server that can be in many kinds of trouble, and a hook."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.programs import program

USER, PASSWORD = "gliowatch", "a mail password"


def make_certificate(folder: Path, name: str = "localhost") -> tuple[Path, Path]:
    """Self-signed, for a name; its file, and that of its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = [program("openssl"), *words.split(), *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@dataclass
class Mailbox:
    """What a server took. said: what it answers to each step, '' for its own words."""

    port: int = 0
    came: list[tuple[str, bytes]] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)

    @property
    def mails(self) -> list[EmailMessage]:
        return [
            message_from_bytes(content, EmailMessage, policy=default) for _, content in self.came
        ]

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.said.get("rcpt"):
            return self.said["rcpt"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.said.get("data", "").startswith(("4", "5")):
            return self.said["data"]
        self.came.append((envelope.rcpt_tos[0], envelope.content))
        if self.said.get("data") == "break":
            server.transport.abort()
        return "250 OK"


def _log_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(),
        PASSWORD.encode(),
    )
    return AuthResult(success=is_right, handled=False)


@asynccontextmanager
async def mail_server(
    certificate: Path | None,
    key: Path | None,
    needs_login: bool = False,
    said: dict[str, str] | None = None,
) -> AsyncIterator[Mailbox]:
    """It listens while the context is open; without a certificate it has no TLS."""
    box, context = Mailbox(said=said or {}), None
    if certificate and key:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)

    def talk() -> SMTP:
        return SMTP(
            box,
            hostname="localhost",
            tls_context=context,
            require_starttls=context is not None,
            auth_required=needs_login,
            authenticator=_log_in,
            loop=loop,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(talk, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()


@dataclass
class Hook:
    """What came to a webhook. status: what it answers."""

    url: str = ""
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204
    location: str = ""


@asynccontextmanager
async def hook(context: ssl.SSLContext | None = None) -> AsyncIterator[Hook]:
    """A service in this process. context: for HTTPS."""
    its = Hook()

    async def take(request: web.Request) -> web.Response:
        its.came.append((dict(request.headers), await request.read()))
        headers = {"Location": its.location} if its.location else {}
        return web.Response(status=its.status, headers=headers)

    app = web.Application()
    app.router.add_post("/{anything:.*}", take)
    server = TestServer(app)
    await server.start_server(ssl=context)
    async with server:
        its.url = str(server.make_url("/hooks/gliowatch"))
        yield its
