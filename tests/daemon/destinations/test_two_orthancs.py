"""From one Orthanc to the results in it, and in another: C-STORE in, C-STORE and STOW-RS out.

`pytest -m long -s` says how many seconds after the last object the SEG is stored.
"""

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.conftest import SAMPLES, SHARED
from tests.daemon.dicom_node.test_real_senders import orthanc, post, with_dicomweb
from tests.daemon.outputs.dicom.test_pacs import ask, free_port
from tests.daemon.priors.test_real_pacs import wait

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

STUDIES = {
    "sample": SAMPLES / "from-the-pacs" / "study",
    "BRAINIX": SHARED / "dicom" / "brainix_flair",
}
CLOSE_SECONDS = 5.0
SETTINGS = """[daemon]
close_seconds = {close}
reconcile_seconds = 1.0
[viewer]
port = 0
[dicom]
on = true
port = {ours}
[[dicom.send]]
name = "sender"
host = "127.0.0.1"
port = {sender}
called_ae_title = "ORTHANC"
rate = 50.0
[[dicom.send]]
name = "archive"
protocol = "STOW-RS"
url = "{archive}/dicom-web"
rate = 50.0
"""


def held(address: str) -> list[tuple[str, str]]:
    """Modality and SOP Instance UID of each object of ours in an Orthanc."""
    found = []
    for series in ask(f"{address}/series?expand"):
        modality = series["MainDicomTags"]["Modality"]
        for name in series["Instances"] if modality != "MR" else ():
            tags = ask(f"{address}/instances/{name}")["MainDicomTags"]
            found.append((modality, tags["SOPInstanceUID"]))
    return found


def made(outbox: Path) -> set[str]:
    """The UID of each object among the results."""
    files = outbox.glob("[!.]*/*/dicom/**/*.dcm")
    return {str(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files}


def segs(address: str) -> int:
    return sum(modality == "SEG" for modality, _ in held(address))


def test_results_come_back_and_reach_an_archive_once(tmp_path: Path) -> None:
    studies = {name: folder for name, folder in STUDIES.items() if folder.is_dir()}
    ours, port = free_port(), free_port()
    for name in ("sender", "archive"):
        (tmp_path / name).mkdir()
    with ExitStack() as stack:
        always = {"DicomAlwaysAllowStore": True}
        sender = stack.enter_context(orthanc(tmp_path / "sender", ours, DicomPort=port, **always))
        archive = stack.enter_context(orthanc(tmp_path / "archive", ours, **with_dicomweb()))
        values = {"close": CLOSE_SECONDS, "ours": ours, "sender": port, "archive": archive}
        (tmp_path / "settings.toml").write_text(SETTINGS.format(**values))
        (tmp_path / "inbox").mkdir()
        log = stack.enter_context((tmp_path / "log").open("w"))
        command = [sys.executable, "-m", "gliowatch", "run", "--settings", "settings.toml"]
        running = stack.enter_context(
            subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
        )
        stack.callback(running.terminate)
        wait(lambda: "node_started" in (tmp_path / "log").read_text())
        for number, (name, folder) in enumerate(studies.items(), 1):
            send(sender, folder)
            began = time.monotonic()
            took = []
            for address in (sender, archive):
                wait(lambda address=address, number=number: segs(address) == number)  # type: ignore[misc]
                took.append(time.monotonic() - began)
            sys.stderr.write(
                f"{name}: SEG in the sender after {took[0]:.0f} s, in the archive after"
                f" {took[1]:.0f} s; close_seconds = {CLOSE_SECONDS:.0f}\n"
            )
        wait(
            lambda: all(
                len(held(each)) == len(made(tmp_path / "outbox")) for each in (sender, archive)
            )
        )
        wanted = sorted(made(tmp_path / "outbox"))
        for address in (sender, archive):
            assert sorted(uid for _, uid in held(address)) == wanted


def send(address: str, folder: Path) -> None:
    """Into this Orthanc, and from there to our node by C-STORE, until its last object is there."""
    before = set(ask(f"{address}/studies"))
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        post(f"{address}/instances", file.read_bytes())
    (study,) = set(ask(f"{address}/studies")) - before
    post(f"{address}/modalities/gliowatch/store", study.encode())
