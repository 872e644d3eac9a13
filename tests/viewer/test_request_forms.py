"""Bodies of every kind on every page that takes one: read only as the form sends them, no fault."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import ClientResponse
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.viewer.test_access import IDS, NAMED
from tests.viewer.test_house import House, open_house
from tests.viewer.upload.test_staging import begin
from viewer.api.openapi import ROOTS
from viewer.login import COOKIE

PLAIN, MULTI = "application/x-www-form-urlencoded", "multipart/form-data"
CODES = ["punycode", "idna", "unicode_escape", "utf-7", "utf-16", "latin-1", "no-such-code", "hex"]
PART = 'Content-Disposition: form-data; name="name"'
DAMAGED = {
    "no kind": ("", b"name=a"),
    "JSON": ("application/json", b"{}"),
    "not UTF-8": (PLAIN, b"name=\xff\xfe"),
    "escapes that are not UTF-8": (PLAIN, b"name=%ff&password=%ed%a0%80"),
    "many fields": (PLAIN, b"a=1&" * 20_000),
    "no boundary": (MULTI, b"--x\r\n"),
    "long boundary": (f"{MULTI}; boundary={'b' * 100}", b"--x\r\n"),
    "no name": (f"{MULTI}; boundary=x", b"--x\r\n\r\na\r\n--x--\r\n"),
    "nested": (
        f"{MULTI}; boundary=x",
        b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\na\r\n--y--\r\n--x--",
    ),
    "base64": (
        f"{MULTI}; boundary=x",
        f"--x\r\n{PART}\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%\r\n--x--\r\n".encode(),
    ),
    "unknown transfer": (
        f"{MULTI}; boundary=x",
        f"--x\r\n{PART}\r\nContent-Transfer-Encoding: new\r\n\r\na\r\n--x--\r\n".encode(),
    ),
    "a code for all": (
        f"{MULTI}; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n' + b"c" * 90 + b"\r\n--x",
    ),
    "broken off": (f"{MULTI}; boundary=x", f"--x\r\n{PART}".encode()),
}


async def posts_of(house: House) -> list[str]:
    """The address of every page that takes a body, with ids that there are; not of the API."""
    await house.add_scan("P1", "scan1")
    ids = {**IDS, "scan_id": "scan1", "patient_key": await house.add_patient("P1")}
    ids["upload"] = await begin(house)
    found = []
    for route in house.app.router.routes():
        assert route.resource is not None
        pattern = route.resource.canonical
        if route.method in ("POST", "PUT") and not pattern.startswith(ROOTS):
            found.append(NAMED.sub(lambda name: ids.get(name[1], "1"), pattern))
    return found


async def send(
    house: House, path: str, kind: str, body: bytes, **more: str
) -> tuple[int, ClientResponse]:
    """Post these bytes with this session's csrf where a header may carry it."""
    headers = {"Content-Type": kind, "X-CSRF-Token": house.csrf, **more}
    method = house.client.put if path.endswith(("/files", "/draft")) else house.client.post
    answer = await method(path, data=body, headers=headers, allow_redirects=False)
    return answer.status, answer


async def test_no_body_is_decoded_in_a_code_that_the_client_names(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        slow = b"a-" + b"z" * 999
        for path in await posts_of(house):
            for kind in (PLAIN, f"{MULTI}; boundary=x"):
                assert (await send(house, path, f"{kind}; charset=punycode", slow))[0] == 415, path
        house.client.session.cookie_jar.clear()
        for code in CODES:
            assert (await send(house, "/login", f"{PLAIN}; charset={code}", slow))[0] == 415
        for right in ("utf-8", "UTF-8", "utf8"):
            kind = f"{PLAIN}; charset={right}"
            assert (await send(house, "/login", kind, b"name=a&password=b"))[0] == 403


@pytest.mark.parametrize("which", list(DAMAGED))
async def test_a_damaged_body_is_no_fault_of_any_page(
    tmp_path: Path, which: str, caplog: pytest.LogCaptureFixture
) -> None:
    kind, body = DAMAGED[which]
    async with open_house(tmp_path) as house:
        for path in await posts_of(house):
            status, _ = await send(house, path, kind, body)
            assert status < 500, path
            packed = await send(house, path, PLAIN, body, **{"Content-Encoding": "gzip"})
            assert packed[0] == 415, path
        for cookies in (True, False):
            status, answer = await send(house, "/login", kind, body)
            assert status in (400, 403, 415)
            assert COOKIE not in answer.cookies
            if cookies:
                house.client.session.cookie_jar.clear()
        assert not [each for each in caplog.records if each.name.startswith("viewer")]


NAMES = """
csrf name password next token old new again label role ends_on do full_name everywhere action scan
confirmed patient_id typed_id version birth_date decision reason comment revision seen acquired_on
across down between scan_id assignment back text send patient photo mask
"""
FIELDS = st.sampled_from(NAMES.split())
VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["", "0", "-1", "9" * 25, "١٢", "²", "1e999", "nan"]),
    st.sampled_from(["\x00", "\ud800", "a\r\nb", "1.0.0", "2020-01-01", "link", "remove"]),
    st.sampled_from(["accepted", "rejected", "needs_correction", "1", "admin", "unassigned"]),
)
PAIRS = st.lists(st.tuples(FIELDS, VALUES), max_size=8)
KINDS = st.one_of(
    st.sampled_from(["", PLAIN, MULTI, f"{MULTI}; boundary=x", "text/plain", "a/b/c", ";;", "x"]),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=60),
)
HEADS = st.sampled_from([{}, {"Content-Encoding": "gzip"}, {"Content-Encoding": "deflate"}])


def as_form(pairs: list[tuple[str, str]]) -> bytes:
    """The fields as a browser sends them."""
    return urlencode(pairs, errors="surrogatepass").encode()


def as_parts(pairs: list[tuple[str, str]]) -> bytes:
    """The fields as parts of a form with files."""
    said = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n\r\n{value}\r\n'
        if name in ("photo", "mask")
        else f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in pairs
    ]
    return ("".join(said) + "--x--\r\n").encode("utf-8", "surrogatepass")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionHeader")
@pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionParam")
async def test_made_up_bodies_are_no_fault_of_any_page(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_house(tmp_path) as house:
        loop, answers = asyncio.get_running_loop(), Counter[int]()
        paths = [path for path in await posts_of(house) if path not in ("/logout", "/login")]

        async def try_it(path: str, kind: str, body: bytes, more: dict[str, str]) -> None:
            status, answer = await send(house, path, kind, body, **more)
            answers[status] += 1
            assert status < 500, (path, kind, body, await answer.text())

        @seed(20)
        @settings(
            max_examples=1500,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.sampled_from(paths), PAIRS, KINDS, st.binary(max_size=80), HEADS, st.data())
        def try_one(
            path: str,
            pairs: list[tuple[str, str]],
            kind: str,
            raw: bytes,
            more: dict[str, str],
            data: Any,
        ) -> None:
            ours = [("csrf", house.csrf), *pairs]
            way = data.draw(st.sampled_from(["form", "parts", "raw", "cut"]))
            sent = {
                "form": (PLAIN, as_form(ours), {}),
                "parts": (f"{MULTI}; boundary=x", as_parts(ours), {}),
                "raw": (kind, raw, more),
                "cut": (f"{MULTI}; boundary=x", as_parts(ours)[: -3 - len(raw)], more),
            }[way]
            asyncio.run_coroutine_threadsafe(try_it(path, *sent), loop).result()

        await asyncio.to_thread(try_one)
        assert {303, 400, 403, 415} <= answers.keys()
        assert not [each for each in caplog.records if each.name.startswith("viewer")]
