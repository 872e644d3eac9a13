"""STOW-RS: what is answered with success is on the disk whole, and nothing else is left."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGExtended12Bit

from daemon.dicom_node.staging import Staging, count_received
from daemon.operations.verify import verify
from daemon.permissions import Role
from daemon.pipeline.worker_processes import Slot, WorkerDied
from daemon.safe_files import only_one_at
from daemon.settings import Settings
from tests.conftest import until
from tests.daemon.dicom_node.senders import kept, picture, pixels
from tests.viewer.api.test_api import token_of
from tests.viewer.test_house import House, house_of, settings_in
from viewer.api.stow import MOST_OF_ONE, POSTS

STUDY, PATH = "1.2.3.4", "/dicom-web/studies"
KIND = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=edge'}


def bytes_of(made: Dataset) -> bytes:
    stream = BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def part(content: bytes, kind: str = "application/dicom") -> bytes:
    return b"--edge\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + content + b"\r\n"


def body(*contents: bytes) -> bytes:
    return b"".join(part(each) for each in contents) + b"--edge--\r\n"


def told(said: dict[str, Any], sequence: str) -> list[tuple[str, int]]:
    """SOP Instance UID and reason of each item."""
    items = said.get(sequence, {"Value": []})["Value"]
    return [
        (
            each.get("00081155", {"Value": [""]})["Value"][0],
            each.get("00081197", {"Value": [0]})["Value"][0],
        )
        for each in items
    ]


@contextmanager
def sorted_by_somebody(settings: Settings) -> Iterator[Staging]:
    """As if the process that sorts were there."""
    staging = Staging(settings.daemon.inbox)
    staging.make()
    with only_one_at(staging.lock):
        yield staging


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with sorted_by_somebody(stow_settings(tmp_path)) as staging:
        yield staging


def stow_settings(folder: Path, **viewer: Any) -> Settings:
    settings = settings_in(folder, **viewer)
    return settings.model_copy(update={"dicom": settings.dicom.model_copy(update={"stow": True})})


@pytest.fixture
async def house(tmp_path: Path, staging: Staging) -> AsyncIterator[House]:
    async with house_of(stow_settings(tmp_path, max_upload_mb=3)) as house:
        yield house


async def post(
    house: House, content: Any, study: str = "", **headers: str
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the answer."""
    path = f"{PATH}/{study}" if study else PATH
    token = await token_of(house, Role.UPLOADER) if "Authorization" not in headers else {}
    answer = await house.client.post(path, data=content, headers={**KIND, **token, **headers})
    said = json.loads(await answer.text())
    is_response = answer.content_type == "application/dicom+json"
    assert is_response == (answer.status in (200, 202, 409)), said
    return answer.status, said


def objects(staging: Staging) -> list[Path]:
    """What has arrived; nothing may be held apart any more."""
    assert list(staging.posting.iterdir()) == []
    return sorted(staging.arrived.rglob("*.dcm"))


async def test_each_object_has_its_answer(house: House, staging: Staging) -> None:
    one, two = picture("P1", STUDY), picture("P1", STUDY)
    status, said = await post(house, body(bytes_of(one), bytes_of(two)))
    assert status == 200
    assert told(said, "00081199") == [(one.SOPInstanceUID, 0), (two.SOPInstanceUID, 0)]
    assert said.keys() == {"00081190", "00081199"}
    assert kept(staging.arrived) == {pixels(one): 1, pixels(two): 1}
    assert [file.stat().st_mode & 0o777 for file in objects(staging)] == [0o640] * 2
    (folder,) = staging.arrived.iterdir()  # those of one request arrive together
    assert len(list(folder.iterdir())) == 2
    other, nameless, strange = picture("P1", "1.2.5"), picture("P1", STUDY), picture("P1", STUDY)
    del nameless.StudyInstanceUID
    strange.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    strange.PixelData = encapsulate([bytes(10)])
    sent = [bytes_of(each) for each in (one, other, nameless, strange)] + [b"no object", b""]
    status, said = await post(house, body(*sent), STUDY)
    assert status == 202
    assert told(said, "00081199") == [(one.SOPInstanceUID, 0)]
    assert told(said, "00081198") == [
        (other.SOPInstanceUID, 0xA901),
        (strange.SOPInstanceUID, 0xC122),
    ]
    assert told(said, "0008119A") == [("", 0xA900), ("", 0xC000), ("", 0xC000)]
    status, said = await post(house, body(bytes_of(other)), STUDY)
    assert (status, told(said, "00081198")) == (409, [(other.SOPInstanceUID, 0xA901)])
    status, said = await post(house, body(b"\0" * 128 + b"DICM\x02\0"))
    assert (status, told(said, "0008119A")) == (409, [("", 0xC000)])
    assert len(objects(staging)) == 3  # the same bytes again; the sorter keeps them once
    account = await verify(house.settings)
    assert account.files["waiting"] == 3


async def test_who_may_not_brings_nothing(house: House, staging: Staging) -> None:
    good = body(bytes_of(picture("P1", STUDY)))
    assert (await house.client.post(PATH, data=good, headers=KIND)).status == 403  # a session
    reader = await token_of(house, Role.READER)
    assert (await post(house, good, **reader))[0] == 403
    assert (await post(house, good, Authorization="Bearer wrong"))[0] == 401
    house.client.session.cookie_jar.clear()
    assert (await house.client.post(PATH, data=good, headers=KIND)).status == 401
    assert objects(staging) == []


BROKEN: list[tuple[bytes, dict[str, str], int]] = [
    (b"", {}, 400),
    (b"--edge--\r\n", {}, 400),
    (b"no boundary at all", {}, 400),
    (part(b"cut" * 99)[:-2], {}, 400),
    (part(b"whole" * 99) + part(b"cut" * 99)[:-1] + b"--edg", {}, 400),
    (part(b"whole, and then no end" * 99), {}, 400),
    (b"--edge\r\nContent-Length: 90\r\n\r\nshort\r\n--edge--\r\n", {}, 400),
    (b"--edge\r\nContent-Length: x\r\n\r\nshort\r\n--edge--\r\n", {}, 400),
    (b"--edge\r\n" + b"X: y\r\n" * 200 + b"\r\nz\r\n--edge--\r\n", {}, 400),
    (part(b"{}", "application/dicom+json") + b"--edge--\r\n", {}, 415),
    (
        part(b"--a\r\n\r\nx\r\n--a--", "multipart/related; boundary=a") + b"--edge--\r\n",
        {},
        400,
    ),
    (b"x", {"Content-Type": "application/dicom"}, 415),
    (b"x", {"Content-Type": "multipart/related; boundary=edge"}, 415),
    (b"x", {"Content-Type": 'multipart/related; type="application/dicom+json"'}, 415),
    (b"x", {"Content-Type": 'multipart/related; type="application/dicom"'}, 400),
    (b"x", {"Content-Encoding": "gzip"}, 415),
    (b"x", {"Accept": "application/dicom+xml"}, 406),
]


async def test_a_broken_request_leaves_nothing(house: House, staging: Staging) -> None:
    for content, headers, status in BROKEN:
        assert (await post(house, content, **headers))[0] == status, (content, headers)
        assert objects(staging) == []


async def test_an_address_that_is_no_study(house: House, staging: Staging) -> None:
    good = body(bytes_of(picture("P1", STUDY)))
    for study in ("P1", "1.2.x", "1" * 65, "..%2F1.2"):
        assert (await post(house, good, study))[0] in (400, 404)
    assert objects(staging) == []


async def test_a_body_without_end_and_one_that_is_too_large(
    house: House, staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"--edge\r\nContent-Type: application/dicom\r\n\r\n"
        while True:
            yield bytes(1 << 18)

    try:
        status = (await post(house, endless()))[0]
    except (ConnectionError, ClientPayloadError):
        status = 413  # it may be told while it still sends
    assert status == 413
    assert objects(staging) == []
    assert (await post(house, BytesIO(body(bytes(4_000_000)))))[0] == 413
    monkeypatch.setattr("viewer.uploads_streaming.has_room", lambda folder, wanted: False)
    assert (await post(house, body(bytes_of(picture("P1", STUDY)))))[0] == 507
    assert objects(staging) == []


async def test_a_connection_that_is_cut_in_mid_part_leaves_nothing(
    house: House, staging: Staging
) -> None:
    token = await token_of(house, Role.UPLOADER)
    whole = part(bytes_of(picture("P1", STUDY)))
    url = house.client.make_url(PATH)
    _, writer = await asyncio.open_connection(url.host, url.port)
    head = {**KIND, **token, "Host": f"{url.host}:{url.port}", "Content-Length": "999999"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    writer.write(f"POST {PATH} HTTP/1.1\r\n{lines}\r\n".encode() + whole + whole[:-300])
    await writer.drain()
    await until(lambda: len(list(staging.posting.rglob("*.dcm"))) == 1)
    assert count_received(house.settings.daemon.inbox).arriving == 1
    assert (await verify(house.settings)).files["temporary_names"] == 1
    writer.transport.abort()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    await until(lambda: not list(staging.posting.iterdir()))
    assert objects(staging) == []


async def test_one_account_has_its_share(house: House, staging: Staging) -> None:
    posts, good = house.app[POSTS], body(bytes_of(picture("P1", STUDY)))
    account_id = 1
    posts.by_account[account_id] = MOST_OF_ONE
    status, said = await post(house, good)
    assert (status, "try again" in said["detail"]) == (429, True)
    posts.by_account[account_id] = MOST_OF_ONE - 1
    assert (await post(house, good))[0] == 200
    assert posts.by_account[account_id] == MOST_OF_ONE - 1
    posts.by_account[account_id + 1] = 99
    assert (await post(house, good))[0] == 429
    assert len(objects(staging)) == 1


async def test_an_object_that_ends_its_worker_is_none(
    house: House, staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = picture("P1", STUDY), picture("P1", STUDY)
    run = Slot.run

    async def dies(self: Slot, allowance: Any, work: Any, files: Any, study: str) -> Any:
        if any(bad.SOPInstanceUID.encode() in file.read_bytes() for file in files):
            raise WorkerDied("It died.")
        return await run(self, allowance, work, files, study)

    monkeypatch.setattr(Slot, "run", dies)
    status, said = await post(house, body(bytes_of(bad), bytes_of(good)))
    assert status == 202
    assert told(said, "00081199") == [(good.SOPInstanceUID, 0)]
    assert told(said, "0008119A") == [("", 0xC000)]
    assert kept(staging.arrived) == {pixels(good): 1}


async def test_nothing_is_taken_where_nobody_sorts(tmp_path: Path) -> None:
    good = body(bytes_of(picture("P1", STUDY)))
    async with house_of(settings_in(tmp_path)) as house:
        status, said = await post(house, good)
        assert (status, "dicom.stow" in said["detail"]) == (503, True)
    async with house_of(stow_settings(tmp_path)) as house:
        status, said = await post(house, good)
        assert (status, "does not run" in said["detail"]) == (503, True)
        half = Staging(house.settings.daemon.inbox).posting / "left" / "1.dcm"
        half.parent.mkdir(parents=True)
        half.write_bytes(b"half")
    with sorted_by_somebody(stow_settings(tmp_path)) as staging:
        async with house_of(stow_settings(tmp_path)) as house:  # an earlier viewer was killed
            assert not half.exists()
            assert (await post(house, good))[0] == 200
            (file,) = objects(staging)
            assert dcmread(file).PatientID == "P1"
