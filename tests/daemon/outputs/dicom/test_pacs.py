"""A real PACS, Orthanc: it takes our objects by C-STORE, lists them, and shows the captures."""

import io
import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemon.commands.segment import segment_once
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.settings import ModelSettings
from tests.conftest import SAMPLES
from tests.programs import program

pytestmark = pytest.mark.long

STUDY = SAMPLES / "from-the-pacs" / "study"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """An Orthanc of its own: its HTTP address and its DICOM port."""
    http, dicom = free_port(), free_port()
    store = tmp_path / "orthanc"
    store.mkdir()
    settings = {
        "StorageDirectory": str(store),
        "IndexDirectory": str(store),
        "HttpPort": http,
        "DicomPort": dicom,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
    }
    (tmp_path / "orthanc.json").write_text(json.dumps(settings))
    command = [program("Orthanc"), str(tmp_path / "orthanc.json")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            wait_for(f"http://127.0.0.1:{http}/system")
            yield f"http://127.0.0.1:{http}", dicom
        finally:
            running.terminate()
            running.wait(120)


def wait_for(address: str) -> None:
    for _ in range(200):
        try:
            ask(address)
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail("Orthanc did not start")


def ask(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)


def store(port: int, files: list[Path]) -> None:
    command = [program("storescu"), "--required", "127.0.0.1", str(port), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_pacs_takes_lists_and_shows_our_objects(tmp_path: Path, pacs: tuple[str, int]) -> None:
    address, port = pacs
    (analyzed,) = segment_once([STUDY], tmp_path / "out", "P", analysis_rules(ModelSettings()))
    assert analyzed.folder is not None, analyzed.reason
    captures = sorted(analyzed.folder.glob("dicom/*_overlay/*.dcm"))
    store(port, [*analyzed.folder.glob("dicom/*.dcm"), *captures])
    (study,) = ask(f"{address}/studies")
    series = [
        ask(f"{address}/series/{each}") for each in ask(f"{address}/studies/{study}")["Series"]
    ]
    counts = {each["MainDicomTags"]["Modality"]: len(each["Instances"]) for each in series}
    assert counts == {"SEG": 1, "SR": 1, "DOC": 1, "OT": len(captures)}
    (shown,) = (each for each in series if each["MainDicomTags"]["Modality"] == "OT")
    preview = f"{address}/instances/{shown['Instances'][0]}/preview"
    with urllib.request.urlopen(preview, timeout=10) as answer:
        picture = Image.open(io.BytesIO(answer.read())).convert("RGB")
    assert max(picture.size) >= 600
    red, green, blue = np.moveaxis(np.asarray(picture).astype(int), 2, 0)
    assert ((red > 180) & (green > 140) & (blue < 80)).sum() > 50  # the outline
