"""Every entry of the audit reaches the receiver, whatever breaks between."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.index.database import open_index, open_records
from daemon.index.people.audit import Action, note
from daemon.operations.audit_syslog import audit_sent
from daemon.operations.contradictions import contradictions
from daemon.settings import Settings
from daemon.settings.errors import Stops
from tests.conftest import until
from tests.programs import program


class Receiver:
    """A server that keeps what it gets. entries: of all connections, in order."""

    def __init__(self) -> None:
        self.entries: list[dict[str, object]] = []
        self.heads: list[str] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while True:
                length = int(await reader.readuntil(b" "))
                head, _, fields = (await reader.readexactly(length)).partition(b"\xef\xbb\xbf")
                self.heads.append(head.decode())
                self.entries.append(json.loads(fields))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def break_off(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    @property
    def numbers(self) -> set[object]:
        return {entry["number"] for entry in self.entries}


@asynccontextmanager
async def listening(
    port: int = 0, secure: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Receiver, int]]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.take, "localhost", port, ssl=secure)
    try:
        yield receiver, server.sockets[0].getsockname()[1]
    finally:
        receiver.break_off()
        server.close()
        await server.wait_closed()


def sending(settings: Settings, address: str, ca: Path | None = None) -> Settings:
    changed = {"audit_syslog": address, "audit_syslog_ca": str(ca or "")}
    return settings.model_copy(update={"daemon": settings.daemon.model_copy(update=changed)})


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.operations.audit_syslog.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("daemon.operations.audit_syslog.RETRY_SECONDS", 0.1)


async def test_entries_come_as_they_are_written_and_none_is_lost(hospital: Settings) -> None:
    async with (
        open_index(hospital.daemon.index) as index,
        open_records(hospital.daemon.records) as records,
    ):
        await note(records, "ada", Action.LOGIN)
        async with listening() as (first, port):
            daemon = sending(hospital, f"tcp://localhost:{port}").daemon
            async with audit_sent(daemon, index, records):
                await until(lambda: first.numbers == {1})
                await note(records, "ada", Action.VIEW, "s1", "Grüße\n")
                await until(lambda: first.numbers == {1, 2})
                first.break_off()
                await note(records, "ada", Action.LOGOUT)
                await until(lambda: 3 in first.numbers)
        async with audit_sent(daemon, index, records):  # nobody listens
            await note(records, "bob", Action.LOGIN)
            await asyncio.sleep(0.3)
            async with listening(port) as (second, _):
                await until(lambda: 4 in second.numbers)
    assert first.numbers == {1, 2, 3}
    assert first.entries[1]["detail"] == "Grüße\n"
    assert first.heads[0].startswith("<110>1 ")
    assert " gliowatch " in first.heads[0]


async def test_encrypted_to_whom_the_authority_has_signed(
    hospital: Settings, tmp_path: Path
) -> None:
    program("openssl")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    await asyncio.to_thread(make_certificate, certificate, key)
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secure.load_cert_chain(certificate, key)
    async with (
        open_index(hospital.daemon.index) as index,
        open_records(hospital.daemon.records) as records,
        listening(secure=secure) as (receiver, port),
    ):
        await note(records, "ada", Action.LOGIN)
        address = f"tls://localhost:{port}"
        async with audit_sent(sending(hospital, address).daemon, index, records):
            await asyncio.sleep(0.5)
            assert receiver.entries == []  # the system does not know this authority
        async with audit_sent(sending(hospital, address, certificate).daemon, index, records):
            await until(lambda: receiver.numbers == {1})


def make_certificate(certificate: Path, key: Path) -> None:
    """Self-signed, for localhost."""
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *words.split(), *names, *files], check=True, capture_output=True)


def test_unencrypted_to_another_machine_is_refused(hospital: Settings) -> None:
    faults = contradictions(sending(hospital, "tcp://log.example:601"))
    assert [(fault.settings, fault.stops) for fault in faults] == [
        (("daemon.audit_syslog",), Stops.RUN)
    ]
    assert contradictions(sending(hospital, "tls://log.example:6514")) == []
