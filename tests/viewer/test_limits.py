"""No form, no account and no upload takes so much that nothing is left for others."""

import asyncio
import contextlib
from collections import namedtuple
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from daemon.index.people.accounts import end_all_of, find_account
from daemon.intake.uploads import HOLDING
from tests.viewer.api.test_api import token_of
from tests.viewer.test_house import House, open_house
from tests.viewer.test_live_updates import stream
from tests.viewer.upload.test_staging import begin, put
from viewer.access import AtOnce
from viewer.live_updates import LIVE
from viewer.request_forms import Pace
from viewer.sessions import RECORDS

MULTI = {"Content-Type": "multipart/form-data; boundary=x"}
Usage = namedtuple("Usage", "total used free")


def field(name: str, value: str) -> bytes:
    """One plain field of a form with files."""
    return f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


@pytest.mark.parametrize("page", ["corrections", "photo"])
async def test_a_form_with_fields_without_end_is_refused_before_they_come(
    tmp_path: Path, page: str
) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1")
        patient = await house.add_patient("P1")
        path = "/scans/scan1/corrections" if page == "corrections" else f"/patients/{patient}/photo"
        sent = 0

        async def fields(first: bytes) -> AsyncIterator[bytes]:
            nonlocal sent
            yield first
            for number in range(100_000):
                piece = field(f"field{number}", "v" * 900)
                sent += len(piece)
                yield piece

        for first, expected in ((b"", {403}), (field("csrf", house.csrf), {400, 413})):
            sent = 0
            asked = house.client.post(path, data=fields(first), headers=MULTI)
            async with asyncio.timeout(60):
                with contextlib.suppress(ConnectionError):  # it may be cut off before its end
                    assert (await asked).status in expected
            assert sent < 20_000_000


@pytest.mark.parametrize("way", ["form", "api", "held", "mask"])
async def test_what_says_no_length_leaves_the_reserve_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1")
        token, held = await token_of(house), await begin(house)
        come = 0

        def free(_: object) -> Usage:
            return Usage(0, 0, int(2.01e9) + 20_000_000 - come)  # the reserve is 2 GB

        monkeypatch.setattr("daemon.operations.status.shutil.disk_usage", free)

        async def body(head: bytes) -> AsyncIterator[bytes]:
            nonlocal come
            yield head
            for _ in range(200):
                come += 1 << 20
                yield bytes(1 << 20)

        def head(name: str, *fields: bytes) -> bytes:
            file = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a.nii"\r\n\r\n'
            return b"".join(fields) + file.encode()

        csrf = field("csrf", house.csrf)
        nobody = field("patient", "unassigned")
        path, headers, begins = {
            "form": ("/upload", MULTI, head("files", csrf, nobody)),
            "api": ("/api/v1/uploads", MULTI | token, head("files", nobody)),
            "held": (
                f"/upload/held/{held}/files",
                {"X-CSRF-Token": house.csrf, "X-File-Path": "a.nii"},
                b"",
            ),
            "mask": ("/scans/scan1/corrections", MULTI, head("mask", csrf)),
        }[way]
        method = house.client.put if way == "held" else house.client.post
        answer = await method(path, data=body(begins), headers=headers)
        assert answer.status == 507
        assert "disk" in await answer.text()
        assert come < 120_000_000
        assert house.in_inbox() == []
        assert not any((tmp_path / "outbox").rglob("*.part"))


async def test_one_account_holds_few_uploads_in_however_many_sessions(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for _ in range(5):
            await house.come_in("N. Urse")
            for _ in range(2):
                await begin(house)
        await house.come_in("Other")
        other = await begin(house)
        assert (await put(house, other, "a.nii", b"1"))[0] == 204
        assert len(list((house.settings.daemon.inbox / HOLDING).iterdir())) == 4


async def test_uploads_that_begin_at_once_are_all_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viewer.upload.staging.MOST_HELD", 4)
    monkeypatch.setattr("viewer.upload.staging.MOST_OPEN", 100)
    async with open_house(tmp_path) as house:
        headers = {"X-CSRF-Token": house.csrf}
        asked = [house.client.post("/upload/held", headers=headers) for _ in range(12)]
        answers = await asyncio.gather(*asked)
        assert sorted(answer.status for answer in answers) == [200] * 4 + [429] * 8


async def test_one_account_has_few_streams_and_an_ended_session_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viewer.live_updates.MOST_OF_ACCOUNT", 3)
    async with open_house(tmp_path) as house:
        live, opened = house.app[LIVE], []
        for _ in range(3):
            await house.come_in("N. Urse")
            for _ in range(2):
                opened.append(await house.client.get("/live"))
        await house.come_in("Other")
        async with stream(house):
            await _until(lambda: len(live._listeners) == 4)
            monkeypatch.setattr("viewer.live_updates.ALIVE_SECONDS", 0.1)
            found = await find_account(house.app[RECORDS], "N. Urse")
            assert found is not None
            await end_all_of(house.app[RECORDS], found.account_id)
            await house.add_waiting("P1", "a.nii")  # all are told, and the ended ones asked for
            await asyncio.sleep(1.5)
            await house.add_waiting("P2", "a.nii")
            await _until(lambda: len(live._listeners) == 1)
        for answer in opened:
            answer.close()


async def _until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)


async def test_one_account_asks_for_few_pages_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viewer.access.MOST_AT_ONCE", 2)
    async with open_house(tmp_path) as house:
        await _held_up(house)
    at_once = AtOnce()
    with (
        at_once.one_more(1),
        at_once.one_more(1),
        at_once.one_more(2),
        pytest.raises(web.HTTPTooManyRequests),
        at_once.one_more(1),
    ):
        pass
    with at_once.one_more(1):
        pass


async def _held_up(house: House) -> None:
    """Two uploads that go on keep a third page of the same account waiting, of no other."""
    end = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield field("csrf", house.csrf)
        await end.wait()

    asked = [
        asyncio.ensure_future(house.client.post("/upload", data=slowly(), headers=MULTI))
        for _ in range(2)
    ]
    await asyncio.sleep(0.5)
    answer = await house.client.get("/")
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "2"
    end.set()
    await asyncio.gather(*asked)
    assert (await house.client.get("/")).status == 200


def test_a_body_that_only_drips_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 10.0, 59.0, 100.0, 100.0])
    monkeypatch.setattr("viewer.request_forms.time.monotonic", lambda: next(clock))
    pace, slow = Pace(), Pace()
    for _ in range(2):
        slow.add(1)
    pace.add(200_000)
    with pytest.raises(web.HTTPRequestTimeout):
        slow.add(1)
