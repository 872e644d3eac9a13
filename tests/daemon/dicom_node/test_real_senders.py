"""Other people's senders, DCMTK's storescu and an Orthanc, and the whole way to a result."""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest
from pydicom import dcmread

from daemon.dicom_node.peer_answers import Verdict
from daemon.dicom_node.stow_client import Stow
from daemon.index.database import open_records
from daemon.index.people.accounts import add_account, add_token, find_account
from daemon.operations.verify import verify
from daemon.permissions import Role
from daemon.settings import load_settings
from daemon.settings.archives import Destination
from tests.conftest import ROOT, SAMPLES
from tests.daemon.dicom_node.senders import real_node
from tests.daemon.outputs.dicom.test_pacs import ask, free_port, wait_for
from tests.programs import installed, program

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

STUDY = SAMPLES / "from-the-pacs" / "study"  # JPEG 2000


def storescu(port: int, *words: str) -> None:
    command = [program("storescu"), "-aec", "GLIOWATCH", *words[:-1], "127.0.0.1", str(port)]
    done = subprocess.run([*command, words[-1]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def values(folder: Path) -> dict[str, bytes]:
    """The pixels of each object below a folder, as they are stored, by their UID."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = [dcmread(path) for path in files]
    return {each.SOPInstanceUID: bytes(each.PixelData) for each in found}


def test_storescu_echoes_and_sends_packed_and_plain_pictures(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    for path in STUDY.iterdir():
        _unpack(path, plain / path.name)
    with real_node(tmp_path) as node:
        echo = [program("echoscu"), "-aec", "GLIOWATCH", "127.0.0.1", str(node.port)]
        assert subprocess.run(echo, check=False).returncode == 0
        wrong = [program("echoscu"), "-aec", "OTHER", "127.0.0.1", str(node.port)]
        refused = subprocess.run(wrong, capture_output=True, text=True, check=False)
        assert "Called AE Title Not Recognized" in refused.stderr
        storescu(node.port, "-xv", "-R", "+sd", str(STUDY))
        (packed,) = node.wait_for(1)
        assert values(packed) == values(STUDY)
        for syntax in ("-xe", "-xb", "-xi", "-xd"):
            before = len(node.studies())
            storescu(node.port, syntax, "+sd", str(plain))
            node.wait_for(before + 1)


def _unpack(source: Path, target: Path) -> None:
    whole = dcmread(source)
    whole.decompress()
    whole.save_as(target)


@contextmanager
def orthanc(folder: Path, node_port: int, **more: object) -> Iterator[str]:
    """An Orthanc that knows our node as "gliowatch"; its HTTP address."""
    settings: dict[str, object] = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "HttpPort": free_port(),
        "DicomPort": free_port(),
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomModalities": {"gliowatch": ["GLIOWATCH", "127.0.0.1", node_port]},
        **more,
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    command = [program("Orthanc"), str(folder / "orthanc.json")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            address = f"http://127.0.0.1:{settings['HttpPort']}"
            wait_for(f"{address}/system")
            yield address
        finally:
            running.terminate()
            running.wait(120)


def with_dicomweb() -> dict[str, object]:
    """Settings of an Orthanc that speaks DICOMweb, by Debian's orthanc-dicomweb."""
    plugin = installed(Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so"))
    return {"Plugins": [str(plugin)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}}


def post(address: str, content: bytes) -> None:
    request = urllib.request.Request(address, content, method="POST")
    with urllib.request.urlopen(request, timeout=300) as answer:
        assert answer.status == 200


def test_an_orthanc_sends_a_study(tmp_path: Path) -> None:
    store = tmp_path / "orthanc"
    store.mkdir()
    with real_node(tmp_path) as node, orthanc(store, node.port) as address:
        post(f"{address}/modalities/gliowatch/echo", b"{}")
        for path in STUDY.iterdir():
            post(f"{address}/instances", path.read_bytes())
        (study,) = ask(f"{address}/studies")
        post(f"{address}/modalities/gliowatch/store", study.encode())
        (folder,) = node.wait_for(1)
        assert values(folder) == values(STUDY)


def test_an_orthanc_as_front_passes_studies_on_by_itself(tmp_path: Path) -> None:
    store, script = tmp_path / "orthanc", ROOT / "deploy" / "orthanc.lua"
    store.mkdir()
    with (
        real_node(tmp_path) as node,
        orthanc(store, node.port, LuaScripts=[str(script)], StableAge=2) as address,
    ):
        for path in STUDY.iterdir():
            post(f"{address}/instances", path.read_bytes())
        (folder,) = node.wait_for(1)
        assert values(folder) == values(STUDY)
        time.sleep(3)
        assert node.studies() == [folder]


def test_from_stow_to_a_result_without_a_node_that_listens(
    tmp_path: Path, small_weights: Path
) -> None:
    """Our own sender brings each object in a request of its own; they are one scan."""
    port = free_port()
    (tmp_path / "settings.toml").write_text(
        "[daemon]\nrest_seconds = 0.3\nclose_seconds = 5.0\nreconcile_seconds = 1.0\n"
        f'[model]\nweights = "{small_weights}"\nleast_flair = 0\n[viewer]\nport = {port}\n'
        "[dicom]\nstow = true\nport = 1\n"
    )
    command = [sys.executable, "-m", "gliowatch", "run", "--settings", "settings.toml"]
    log = (tmp_path / "log").open("w")
    with log, subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log) as running:
        try:
            _wait(lambda: "node_started" in (tmp_path / "log").read_text())
            _wait(lambda: _is_healthy(port))
            asyncio.run(_stow(tmp_path, port, [path.read_bytes() for path in STUDY.iterdir()]))
            _wait(lambda: list((tmp_path / "outbox").glob("[!.]*/*/*_report.json")))
        finally:
            running.terminate()
            running.wait(120)
    (report,) = (tmp_path / "outbox").glob("[!.]*/*/*_report.json")
    assert json.loads(report.read_text())["input"]["files"] == len(list(STUDY.iterdir()))
    assert asyncio.run(verify(load_settings(tmp_path / "settings.toml"))).differences == ()


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


async def _stow(folder: Path, port: int, objects: list[bytes]) -> None:
    """Send them as `gliowatch send` sends to another archive."""
    to = Destination(
        name="self",
        protocol="STOW-RS",
        url=f"http://127.0.0.1:{port}/dicom-web",
        header_variable="STOW_HEADER",
    )
    async with open_records(folder / "records.sqlite") as records:
        await add_account(records, "pacs", "", Role.UPLOADER, "-")
        found = await find_account(records, "pacs")
        assert found is not None
        ends = date.today() + timedelta(days=1)
        account_id, checked = found.account_id, found.password_hash
        secret = await add_token(records, account_id, "pacs", Role.UPLOADER, ends, checked)
    os.environ["STOW_HEADER"] = f"Authorization: Bearer {secret}"
    sender = Stow(to)
    answers = [await sender.send(each) for each in objects]
    await sender.close()
    assert {answer.verdict for answer in answers} == {Verdict.STORED}


def test_from_the_pacs_to_a_result_with_pauses(tmp_path: Path, small_weights: Path) -> None:
    """`run` starts the node; two associations with a pause between are one scan."""
    port = free_port()
    (tmp_path / "settings.toml").write_text(
        "[daemon]\nrest_seconds = 0.3\nclose_seconds = 20.0\nreconcile_seconds = 1.0\n"
        f'[model]\nweights = "{small_weights}"\nleast_flair = 0\n[viewer]\nport = 0\n'
        f"[dicom]\non = true\nport = {port}\nreserve_gb = 0.0\n"
    )
    command = [sys.executable, "-m", "gliowatch", "run", "--settings", "settings.toml"]
    log = (tmp_path / "log").open("w")
    with log, subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log) as running:
        try:
            _wait(lambda: "node_started" in (tmp_path / "log").read_text())
            files = sorted(STUDY.iterdir())
            for part, some in enumerate((files[:15], files[15:])):
                folder = tmp_path / f"part{part}"
                folder.mkdir()
                for path in some:
                    (folder / path.name).write_bytes(path.read_bytes())
                storescu(port, "-xv", "-R", "+sd", str(folder))
                time.sleep(8 if part == 0 else 0)
            outbox = tmp_path / "outbox"
            _wait(lambda: list(outbox.glob("*/*/*_report.json")))
            time.sleep(3)
            (report,) = outbox.glob("*/*/*_report.json")
            assert json.loads(report.read_text())["input"]["files"] == len(files)
            account = asyncio.run(verify(load_settings(tmp_path / "settings.toml")))
            assert account.files["done"] == len(files)
            assert account.files["waiting"] == 0
            assert account.differences == ()
        finally:
            running.terminate()
            running.wait(120)
    assert running.returncode == 0


def _wait(condition: Callable[[], object], seconds: float = 400) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.2)
