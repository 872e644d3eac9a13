"""Attacks on the viewer that no other test makes; docs/attacks.md lists all, with their tests."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import ClientSession
from yarl import URL

from daemon.index.people import accounts
from daemon.index.people.accounts import find_account
from daemon.logs import JsonLines
from daemon.permissions import Role
from daemon.records.accounts import Passwords, link_for
from tests.viewer.api.test_api import token_of
from tests.viewer.test_house import House, open_house
from tests.viewer.upload.test_staging import begin, put
from viewer.login import COOKIE
from viewer.sessions import RECORDS

SECRET = b"lies outside"
PLACES = ["../secret", "../../secret", "../" * 9 + "etc/passwd", "/etc/passwd", "secret\x00.png"]
IDS = re.compile(r"{(role|number|scan_id|patient_key)}")
CRLF = "a\r\nX-Evil: yes\r\n\r\n<i>"


def cookie_of(house: House) -> str:
    """The session's key, as a thief would have it."""
    return next(each.value for each in house.client.session.cookie_jar if each.key == COOKIE)


@pytest.mark.parametrize("end", ["logout everywhere", "account disabled", "new password"])
async def test_a_stolen_session_ends_with_its_owner(tmp_path: Path, end: str) -> None:
    async with open_house(tmp_path) as house, ClientSession(cookies={}) as thief:
        upload = await begin(house)
        stolen = {"Cookie": f"{COOKIE}={cookie_of(house)}", "X-CSRF-Token": house.csrf}

        async def tried(method: str, path: str) -> int:
            url = house.client.make_url(path)
            async with thief.request(method, url, headers=stolen) as answer:
                return answer.status

        assert await tried("GET", "/account") == 200
        account = await find_account(house.app[RECORDS], "N. Urse")
        assert account is not None
        if end == "logout everywhere":
            assert (await house.post("/logout", {"everywhere": "1"}))[0] == 303
        elif end == "account disabled":
            await accounts.add_account(house.app[RECORDS], "other", "Other", Role.ADMIN, "")
            await accounts.set_enabled(house.app[RECORDS], account.account_id, False)
        else:
            await accounts.set_password(house.app[RECORDS], account.account_id, "$argon2id$")
        paths = ("/", "/api/v1/worklist", "/static/../audit", "/live")
        assert [await tried("GET", path) for path in paths] == [401] * len(paths)
        assert await tried("PUT", f"/upload/held/{upload}/files") == 401


async def test_a_session_that_an_attacker_chose_is_not_taken_over(tmp_path: Path) -> None:
    async with open_house(tmp_path, enter=False) as house:
        secret, chosen = await link_for(house.app[RECORDS], "ada", Role.READER, 60), "c" * 43
        headers, data = {"Cookie": f"{COOKIE}={chosen}"}, {"token": secret}
        answer = await house.client.post(
            "/enter", data=data, headers=headers, allow_redirects=False
        )
        assert answer.cookies[COOKIE].value not in ("", chosen)
        house.client.session.cookie_jar.clear()
        assert (await house.client.get("/", headers=headers)).status == 401


async def test_no_address_of_a_file_leads_out_of_the_outbox(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for folder in (tmp_path, tmp_path / "outbox"):
            (folder / "secret").write_bytes(SECRET)
        scan = await house.add_scan("P1", "scan1")
        source = house.settings.daemon.outbox / scan.folder.decode() / "source"
        source.mkdir()
        (source / "link.nii").symlink_to(tmp_path / "secret")
        (source.parent / "scan1_montage.png").symlink_to(tmp_path / "secret")
        found = {each.canonical for each in house.app.router.resources()}
        patterns = [each for each in found if IDS.search(each)]
        token = await token_of(house)
        tried = ["/scans/scan1/files/source-1", "/scans/scan1/files/montage.png"]
        for pattern in [*patterns, "/static/{role}"]:
            for place in PLACES:
                for filled in ("{role}", "{number}", "{scan_id}", "{patient_key}"):
                    path = pattern.replace(filled, quote(place, safe=""))
                    tried.append(re.sub("{.*?}", "scan1", path))
        for path in tried:
            url = f"{house.client.make_url('')}".rstrip("/") + path
            answer = await house.client.session.get(
                _as_it_is(url), headers=token, allow_redirects=False
            )
            assert answer.status != 500, path
            content = await answer.read()
            assert SECRET not in content
            assert b"root:" not in content
        assert len(tried) > 300


def _as_it_is(url: str) -> URL:
    """An address that the client does not tidy up."""
    return URL(url, encoded=True)


async def test_line_ends_make_no_header_and_no_line_of_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_house(tmp_path) as house:
        scan = await house.add_scan("P1", "scan1")
        source = house.settings.daemon.outbox / scan.folder.decode() / "source"
        source.mkdir()
        (source / CRLF.replace("/", "")).write_bytes(b"1")
        upload, coded = await begin(house), quote(CRLF, safe="")
        assert (await put(house, upload, CRLF, b"1"))[0] == 204
        assert (await house.upload({quote(CRLF): b"1"}))[0] == 303
        posts = {
            "/searches": {"text": CRLF, "back": "/?q=" + coded},
            "/patients": {"patient_id": CRLF, "name": CRLF},
            "/login": {"name": CRLF, "password": CRLF, "next": CRLF},
            "/enter": {"token": CRLF, "next": CRLF},
            "/scans/scan1/reviews": {"decision": "accepted", "revision": CRLF, "seen": CRLF},
        }
        for path, fields in posts.items():
            data = {"csrf": house.csrf, **fields}
            answer = await house.client.post(path, data=data, allow_redirects=False)
            assert answer.status in (303, 400, 403), path
            assert "X-Evil" not in answer.headers
        gets = [f"/scans/{coded}", f"/?q={coded}", f"/enter?token=a&next={coded}", f"/{coded}"]
        gets += ["/scans/scan1/files/source-1", "/scans/scan1/all.zip", f"/api/v1/scans/{coded}"]
        for path in gets:
            url = _as_it_is(str(house.client.make_url("")).rstrip("/") + path)
            answer = await house.client.session.get(url, allow_redirects=False)
            assert answer.status < 500
            assert "X-Evil" not in answer.headers
        assert not any("\n" in JsonLines().format(record) for record in caplog.records)


async def test_guessing_a_password_is_made_slow_and_tells_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        account = await find_account(house.app[RECORDS], "N. Urse")
        assert account is not None
        right = "a long and right secret"
        kept = await Passwords().hash(right, "N. Urse")
        await accounts.set_password(house.app[RECORDS], account.account_id, kept)
        said = set()
        for guess in [*(f"guess {number}" for number in range(7)), right]:
            fields = {"name": "N. Urse", "password": guess}
            answer = await house.client.post("/login", data=fields, allow_redirects=False)
            assert answer.status == 403
            assert "Set-Cookie" not in answer.headers
            said.add("please wait" in await answer.text())
        assert said == {False, True}


@pytest.mark.parametrize("api", [False, True])
async def test_an_upload_that_stalls_is_ended_and_nothing_of_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: bool
) -> None:
    monkeypatch.setattr("viewer.request_forms.STALLED_SECONDS", 0.3)
    async with open_house(tmp_path) as house:

        async def slowly() -> AsyncIterator[bytes]:
            first = "" if api else _part("csrf", house.csrf)
            yield (first + _part("patient", "unassigned")).encode()
            yield _part('files"; filename="a.nii', "begin")[:-2].encode()
            await asyncio.sleep(20)

        kind = {"Content-Type": "multipart/form-data; boundary=edge"}
        kind |= await token_of(house) if api else {}
        path = "/api/v1/uploads" if api else "/upload"
        answer = await house.client.post(path, data=slowly(), headers=kind)
        assert answer.status == 408
        assert "Nothing arrived for a minute" in await answer.text()
        assert house.in_inbox() == []


@pytest.mark.parametrize("form", ["mask", "photo"])
async def test_other_files_that_stall_are_ended_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr("viewer.request_forms.STALLED_SECONDS", 0.3)
    async with open_house(tmp_path) as house:
        patient = await house.add_patient("P1")
        await house.add_scan("P1", "scan1")

        async def slowly() -> AsyncIterator[bytes]:
            yield _part("csrf", house.csrf).encode()
            yield _part(f'{form}"; filename="a.nii', "begin")[:-2].encode()
            await asyncio.sleep(20)

        kind = {"Content-Type": "multipart/form-data; boundary=edge"}
        path = "/scans/scan1/corrections" if form == "mask" else f"/patients/{patient}/photo"
        answer = await house.client.post(path, data=slowly(), headers=kind)
        assert answer.status == 408
        assert not any((tmp_path / "outbox").rglob("*.part"))


def _part(name: str, content: str) -> str:
    return f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{content}\r\n'
