"""Earlier studies by QIDO-RS and WADO-RS from a service in this process, good and bad."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from daemon.dicom_node.peer_answers import PeerAway, StudyFound
from daemon.dicom_node.staging import Staging, count_received
from daemon.priors.dicomweb import OBJECTS, DicomWeb
from daemon.settings import DicomSettings

Make = Callable[[], web.Response]  # a response can be given once
HEAD = b"Content-Type: application/dicom\r\n\r\n"
ONE, TWO = b"\0" * 128 + b"DICM" + b"one\r\n--x" * 9, b"\0" * 128 + b"DICM" + b"2" * 300_000


def body(*objects: bytes, end: bytes = b"--mark--\r\n") -> bytes:
    """One of WADO-RS."""
    return b"".join(b"--mark\r\n" + HEAD + each + b"\r\n" for each in objects) + end


def told(patient: str, uid: str, day: str, *modalities: str, issuer: str = "") -> dict[str, Any]:
    """A study as QIDO-RS tells of it."""
    values = {
        "00100020": ("LO", [patient]),
        "00100021": ("LO", [issuer] if issuer else []),
        "0020000D": ("UI", [uid]),
        "00080020": ("DA", [day] if day else []),
        "00080061": ("CS", list(modalities)),
    }
    return {tag: {"vr": vr, "Value": value} for tag, (vr, value) in values.items()}


@asynccontextmanager
async def pacs(
    folder: Path, response: Make, came: list[web.Request], **keys: Any
) -> AsyncIterator[DicomWeb]:
    """A service that gives this response to whatever it is asked; keys: of [dicom.priors]."""

    async def answer(request: web.Request) -> web.Response:
        came.append(request)
        return response()

    (folder / "inbox").mkdir(exist_ok=True)
    app = web.Application()
    app.router.add_get("/dicom-web/{rest:.*}", answer)
    async with TestServer(app) as server:
        url = keys.pop("url", str(server.make_url("/dicom-web/")))
        priors = {"protocol": "DICOMweb", "url": url, "move_seconds": 60.0, **keys}
        given = {"priors": priors, "reserve_gb": 0, "max_object_mb": 1}
        dicom = DicomSettings.model_validate(given)
        staging = Staging(folder / "inbox")
        staging.make()
        asked = DicomWeb(dicom, staging)
        try:
            yield asked
        finally:
            await asked.close()


def parts(content: bytes, status: int = 200) -> Make:
    kind = 'multipart/related; type="application/dicom"; boundary=mark'
    return lambda: web.Response(status=status, body=content, headers={"Content-Type": kind})


def arrived(folder: Path) -> list[bytes]:
    staging = Staging(folder / "inbox")
    assert list(staging.fetching.iterdir()) == []
    assert count_received(folder / "inbox").arriving == 0
    return sorted(path.read_bytes() for path in staging.arrived.glob("*/*.dcm"))


async def test_only_studies_of_the_patient_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACS_HEADER", "Authorization: Bearer abc")
    listed = [
        told("A&b", "1.2.1", "20200101", "MR", "SR", issuer="H"),
        told("A&b", "1.2.2", ""),
        told("A&bc", "1.2.3", "20200101", "MR"),
        told("A&b", "1.2.4", "20200101", "MR", issuer="OTHER"),
        {"0020000D": 3},
    ]
    came: list[web.Request] = []
    keys = {"issuer": "H", "header_variable": "PACS_HEADER"}
    async with pacs(tmp_path, lambda: web.json_response(listed), came, **keys) as asked:
        assert await asked.studies_of("A&b") == [
            StudyFound("1.2.1", "20200101", ("MR", "SR")),
            StudyFound("1.2.2", "", ()),
        ]
        for wild in ("A*", "A?", "A\\B", "", "x" * 65):
            assert await asked.studies_of(wild) == []
    (request,) = came
    assert request.path == "/dicom-web/studies"
    assert request.query["PatientID"] == "A&b"
    assert request.query["IssuerOfPatientID"] == "H"
    assert request.headers["Authorization"] == "Bearer abc"


async def test_a_study_arrives_byte_for_byte(tmp_path: Path) -> None:
    came: list[web.Request] = []
    left = tmp_path / "inbox" / ".receiving" / "fetching" / "killed"
    left.mkdir(parents=True)
    (left / "1.dcm").write_bytes(b"half")
    async with pacs(tmp_path, parts(body(ONE, TWO)), came) as asked:
        assert await asked.fetch("1.2.3")
        assert not await asked.fetch("../1.2.3")
    (request,) = came
    assert request.path == "/dicom-web/studies/1.2.3"
    assert request.headers["Accept"] == OBJECTS
    assert arrived(tmp_path) == sorted([ONE, TWO])


@pytest.mark.parametrize(
    ("response", "kept"),
    [
        (parts(body(ONE, end=b"")), []),  # it ends early: nobody knows whether this is all
        (parts(body(ONE, TWO)[:-2000]), [ONE]),
        (parts(body(ONE), status=206), [ONE]),
        (parts(body(ONE, b"x" * 1_000_001)), [ONE]),  # larger than dicom.max_object_mb
        (parts(body()), []),
        (lambda: web.Response(body=ONE, content_type="application/dicom"), []),
        (lambda: web.Response(status=404), []),
        (lambda: web.Response(status=500), []),
    ],
)
async def test_what_does_not_come_whole_is_said(
    tmp_path: Path, response: Make, kept: list[bytes]
) -> None:
    async with pacs(tmp_path, response, []) as asked:
        assert not await asked.fetch("1.2.3")
    assert arrived(tmp_path) == kept


@pytest.mark.parametrize(
    ("response", "of_list", "of_study"),
    [
        (lambda: web.Response(status=401), "no_query", "no_query"),
        (lambda: web.Response(status=503), "server", "server"),
        (lambda: web.Response(status=404), "no_service", ""),
        (lambda: web.Response(status=500), "query", ""),
        (lambda: web.Response(text="<html>"), "query", ""),
        (lambda: web.Response(text="[" * 200_000), "query", ""),
    ],
)
async def test_a_pacs_that_does_not_answer_is_away(
    tmp_path: Path, response: Make, of_list: str, of_study: str
) -> None:
    async with pacs(tmp_path, response, []) as asked:
        with pytest.raises(PeerAway) as caught:
            await asked.studies_of("P1")
        assert caught.value.reason == of_list
        if not of_study:
            assert not await asked.fetch("1.2.3")
            return
        with pytest.raises(PeerAway) as caught:
            await asked.fetch("1.2.3")
        assert caught.value.reason == of_study
    assert arrived(tmp_path) == []


async def test_nobody_there_and_a_disk_without_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pacs(tmp_path, parts(body(ONE)), [], url="http://127.0.0.1:1/") as asked:
        with pytest.raises(PeerAway) as caught:
            await asked.studies_of("P1")
        assert caught.value.reason == "no_connection"
    async with pacs(tmp_path, parts(body(ONE)), []) as asked:
        monkeypatch.setattr("daemon.dicom_node.object_storage.Room.is_there", lambda room: False)
        with pytest.raises(PeerAway) as caught:
            await asked.fetch("1.2.3")
        assert caught.value.reason == "our_disk"
    assert arrived(tmp_path) == []


def test_what_is_fetched_is_sorted_without_a_node_that_listens() -> None:
    priors = {"on": True, "protocol": "DICOMweb", "url": "https://pacs.example/dicom-web"}
    dicom = DicomSettings.model_validate({"priors": priors})
    assert (dicom.on, dicom.sorts) == (False, True)
    assert not DicomSettings.model_validate({"priors": priors | {"on": False}}).sorts


async def test_a_list_that_breaks_off_is_no_answer(tmp_path: Path) -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[{")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(break_off, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with pacs(tmp_path, parts(b""), [], url=url) as asked:
            with pytest.raises(PeerAway) as caught:
                await asked.studies_of("P1")
    assert caught.value.reason == "no_answer"


async def test_a_fetch_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    begun = asyncio.Event()

    class Slow(web.Response):
        async def write_eof(self, data: bytes = b"") -> None:
            await self.write(body(ONE, TWO)[:-100_000])
            begun.set()
            await asyncio.sleep(600)

    kind = {"Content-Type": "multipart/related; boundary=mark"}
    async with pacs(tmp_path, lambda: Slow(headers=kind), []) as asked:
        fetching = asyncio.create_task(asked.fetch("1.2.3"))
        await begun.wait()
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
    assert arrived(tmp_path) == []
