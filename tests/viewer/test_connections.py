"""What comes below the pages: names of the host, TLS before us, half requests, what is no HTTP."""

import asyncio
import io
import ssl
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from daemon.permissions import Role
from daemon.records.accounts import link_for
from tests.daemon.operations.test_audit_syslog import make_certificate
from tests.viewer.test_house import open_house, settings_in
from viewer.app import make_app
from viewer.connections import Door, Runner
from viewer.login import COOKIE, SECURE_COOKIE
from viewer.middleware import HEADERS
from viewer.sessions import RECORDS

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def served(folder: Path, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The viewer behind its own door; the port."""
    runner = Runner(make_app(settings_in(folder)), tls=tls)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def connect(port: int, said: bytes = b"") -> Line:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    return reader, writer


async def heard(line: Line) -> bytes:
    """All that comes until the server closes the line; nothing where it is cut off."""
    try:
        async with asyncio.timeout(120):
            return await line[0].read()
    except ConnectionError:
        return b""
    finally:
        line[1].close()


@pytest.mark.parametrize("name", ["evil.example", "evil.example:8737", "127.0.0.1.evil", "[::", ""])
async def test_a_name_that_is_not_ours_gets_no_page_and_no_link(tmp_path: Path, name: str) -> None:
    async with open_house(tmp_path) as house:
        for path in ("/", "/login", "/healthz", "/api/v1/system", "/static/gliowatch.css"):
            answer = await house.client.get(path, headers={"Host": name})
            assert answer.status in (400, 421), path
        fields = {"csrf": house.csrf, "name": "eve", "role": "reader"}
        answer = await house.client.post("/accounts", data=fields, headers={"Host": name})
        assert answer.status in (400, 421)
        assert "token=" not in await answer.text()


async def test_names_that_somebody_listed_are_ours(tmp_path: Path) -> None:
    async with open_house(tmp_path, host_names=("Flair.Hospital.example",)) as house:
        for name in ("flair.hospital.example", "FLAIR.hospital.example:443", "localhost:1"):
            assert (await house.client.get("/", headers={"Host": name})).status == 200


async def test_behind_tls_cookies_links_and_headers_are_of_tls(tmp_path: Path) -> None:
    trusted = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.9"}
    async with open_house(tmp_path, trusted_proxies=("127.0.0.1",)) as house:
        assert "Strict-Transport-Security" not in (await house.client.get("/")).headers
        house.client.session.cookie_jar.clear()
        secret = await link_for(house.app[RECORDS], "N. Urse", Role.ADMIN, 60)
        answer = await house.client.post(
            "/enter", data={"token": secret}, headers=trusted, allow_redirects=False
        )
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith(f"{SECURE_COOKIE}=")
        for word in ("Secure", "HttpOnly", "Path=/", "SameSite=Strict"):
            assert word in cookie
        assert "Domain" not in cookie
        key = answer.cookies[SECURE_COOKIE].value
        with_key = {**trusted, "Cookie": f"{SECURE_COOKIE}={key}"}
        page = await house.client.get("/account", headers=with_key)
        assert page.status == 200
        assert page.headers["Strict-Transport-Security"].startswith("max-age=")
        csrf = (await page.text()).split('name="csrf" value="')[1].split('"')[0]
        fields = {"csrf": csrf, "name": "eve", "role": "reader"}
        made = await house.client.post("/accounts", data=fields, headers=with_key)
        assert "https://127.0.0.1" in await made.text()
        for cookies in (f"{COOKIE}={key}", f"{SECURE_COOKIE}={'x' * 43}"):
            headers = {**trusted, "Cookie": cookies}
            assert (await house.client.get("/account", headers=headers)).status == 401


async def test_who_is_no_trusted_proxy_tells_nothing_of_tls(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        answer = await house.client.get("/", headers={"X-Forwarded-Proto": "https"})
        assert answer.status == 200
        assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize(
    "said",
    [b"no HTTP at all\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\na: \0\r\n\r\n"],
)
async def test_what_is_no_http_is_answered_with_our_headers(tmp_path: Path, said: bytes) -> None:
    async with served(tmp_path) as port:
        answer = await heard(await connect(port, said + b"\r\n\r\n"))
        assert answer.startswith(b"HTTP/1.0 400") or answer.startswith(b"HTTP/1.1 400")
        for name, value in HEADERS.items():
            assert f"{name}: {value}\r\n".encode() in answer
        assert b"aiohttp" not in answer
        assert b"Python" not in answer


async def test_half_requests_are_ended_and_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("viewer.connections.HEAD_SECONDS", 0.5)
    monkeypatch.setattr("viewer.connections.IDLE_SECONDS", 1.0)
    monkeypatch.setattr("viewer.connections.MOST_OF_ADDRESS", 8)
    async with served(tmp_path) as port:
        half = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        lines = [await connect(port, half) for _ in range(20)]
        silent = await connect(port)
        assert await asyncio.gather(*map(heard, [*lines, silent])) == [b""] * 21
        whole = half + b"Connection: close\r\n\r\n"
        assert (await heard(await connect(port, whole))).startswith(b"HTTP/1.1 401")
        again = await connect(port, half + b"\r\n" + half)  # one whole, and a half behind it
        assert (await heard(again)).startswith(b"HTTP/1.1 401")
        slow = await connect(port)
        for byte in half * 10:  # it comes, but too slowly ever to be whole
            slow[1].write(bytes([byte]))
            await asyncio.sleep(0.02)
            if slow[0].at_eof():
                break
        assert await heard(slow) == b""
    assert [each.message for each in caplog.records if each.name == "viewer.connections"] == [
        "connections_of_one_address_full"
    ]


async def test_half_handshakes_are_ended_and_counted_like_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("viewer.connections.HANDSHAKE_SECONDS", 1.0)
    monkeypatch.setattr("viewer.connections.MOST_OF_ADDRESS", 8)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    whole = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    async with served(tmp_path, tls) as port:
        begun = [await connect(port, bytes.fromhex("160301")) for _ in range(20)]
        plain = await connect(port, whole)
        heard_of = await asyncio.gather(*map(heard, [*begun, plain]))
        assert not any(answer.startswith(b"HTTP") for answer in heard_of)
        secured = await asyncio.open_connection("localhost", port, ssl=trusting)
        secured[1].write(whole)
        assert (await heard(secured)).startswith(b"HTTP/1.1 401")
    assert [each.message for each in caplog.records if each.name == "viewer.connections"] == [
        "connections_of_one_address_full"
    ]


def test_no_address_takes_all_connections_and_all_together_leave_room() -> None:
    door = Door(most=100, trusted=("10.0.0.1",))
    assert sum(door.come("10.0.0.2") for _ in range(100)) == 75
    assert sum(door.come("10.0.0.1") for _ in range(100)) == 25
    assert not door.come("10.0.0.3")
    door.go("10.0.0.2")
    assert door.come("10.0.0.3")


async def test_members_of_a_zip_lead_nowhere_on_any_system(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        scan = await house.add_scan("P1", "scan1")
        source = house.settings.daemon.outbox / scan.folder.decode() / "source"
        source.mkdir()
        for name in ("x\\..\\..\\evil.bat", "x_.._.._evil.bat"):
            (source / name).write_bytes(name.encode())
        answer = await house.client.get("/scans/scan1/all.zip")
        with zipfile.ZipFile(io.BytesIO(await answer.read())) as archive:
            names = archive.namelist()
            assert not [name for name in names if "\\" in name]
            assert len(set(names)) == len(names) == 4
            kept = {archive.read(name) for name in names if "evil" in name}
        assert kept == {b"x\\..\\..\\evil.bat", b"x_.._.._evil.bat"}
