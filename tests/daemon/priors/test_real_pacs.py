"""A real Orthanc is asked by C-FIND and C-MOVE, or by DICOMweb, for what is missing here."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from daemon.operations.verify import verify
from daemon.settings import load_settings
from tests.daemon.dicom_node.senders import kept, picture, pixels, real_node
from tests.daemon.dicom_node.test_real_senders import orthanc, post, with_dicomweb
from tests.daemon.intake.test_study_split import BIG, tagged
from tests.daemon.outputs.dicom.test_pacs import ask, free_port
from tests.phantoms.dicom_series import Series, write_series

TOLD = "Earlier studies: {} fetched, {} there already, 0 not whole.\n"
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def dated(study: str, day: str, modality: str = "MR", patient: str = "P1") -> Dataset:
    made = picture(patient, study)
    made.StudyDate, made.Modality = day, modality
    return made


def bytes_of(made: Dataset) -> bytes:
    stream = BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def priors(folder: Path) -> tuple[int, str]:
    """Exit code of `gliowatch priors P1`, and what it says."""
    words = [sys.executable, "-m", "gliowatch", "priors", "P1", "--settings", "settings.toml"]
    done = subprocess.run(words, cwd=folder, text=True, capture_output=True, check=False)
    return done.returncode, done.stdout + done.stderr


C_MOVE = 'host = "127.0.0.1"\nport = {dicom}\ncalled_ae_title = "ORTHANC"\n'
DICOMWEB = 'protocol = "DICOMweb"\nurl = "http://127.0.0.1:{http}/dicom-web"\n'


@pytest.mark.parametrize("way", [C_MOVE, DICOMWEB])
def test_the_newest_studies_come_once_and_an_archive_that_is_away_is_told(
    tmp_path: Path, way: str
) -> None:
    dicom, http, store = free_port(), free_port(), tmp_path / "orthanc"
    store.mkdir()
    more = with_dicomweb() if way == DICOMWEB else {}
    old, newer, newest = (dated(f"1.2.{n}", f"202{n}0101") for n in (1, 2, 3))
    others = dated("1.2.5", "20250101", "CT"), dated("1.2.6", "20250101", patient="P11")
    with real_node(tmp_path) as node:
        with (tmp_path / "settings.toml").open("a") as settings:
            settings.write(f"[dicom.priors]\nnewest = 2\n{way.format(dicom=dicom, http=http)}")
        code, said = priors(tmp_path)
        assert (code, "cannot be reached" in said) == (2, True), said
        with orthanc(store, node.port, DicomPort=dicom, HttpPort=http, **more) as address:
            for each in (old, newer, newest, *others):
                post(f"{address}/instances", bytes_of(each))
            code, said = priors(tmp_path)
            assert (code, said) == (0, TOLD.format(2, 0))
            folders = node.wait_for(2)
            code, said = priors(tmp_path)
            assert (code, said) == (0, TOLD.format(0, 2))
        assert [folder.parent.name for folder in folders] == ["P1", "P1"]
        assert kept(tmp_path / "inbox") == {pixels(newer): 1, pixels(newest): 1}
        times = {file.stat().st_mtime for folder in folders for file in folder.iterdir()}
        assert times == {1.0}  # the queue takes them last
        assert list(node.staging.asked.iterdir()) == []
    code, said = priors(tmp_path)
    assert (code, "node does not run" in said) == (2, True), said


def test_a_new_scan_tells_the_change_to_a_prior_that_only_the_pacs_had(
    tmp_path: Path, small_weights: Path
) -> None:
    """All of it by `run`: the new study comes from the PACS, the older one is fetched, and the
    newest revision of the new scan is compared with it."""
    pacs, ours, store = free_port(), free_port(), tmp_path / "orthanc"
    store.mkdir()
    (tmp_path / "settings.toml").write_text(
        "[daemon]\nrest_seconds = 0.3\nclose_seconds = 1.0\nreconcile_seconds = 1.0\n"
        f'reserve_gb = 0\n[model]\nweights = "{small_weights}"\nleast_flair = 0\n'
        f"[viewer]\nport = 0\n[dicom]\non = true\nport = {ours}\nreserve_gb = 0\n"
        f'[dicom.priors]\non = true\nhost = "127.0.0.1"\nport = {pacs}\n'
        'called_ae_title = "ORTHANC"\nfirst_pause_seconds = 1.0\n'
    )
    (tmp_path / "inbox").mkdir()
    command = [sys.executable, "-m", "gliowatch", "run", "--settings", "settings.toml"]
    log = (tmp_path / "log").open("w")
    with (
        orthanc(store, ours, DicomPort=pacs) as address,
        log,
        subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log) as running,
    ):
        try:
            _bring(address, flair(tmp_path / "old", OLD, "20230101"))
            new = _bring(address, flair(tmp_path / "new", NEW, "20230131"))
            wait(lambda: "node_started" in (tmp_path / "log").read_text())
            post(f"{address}/modalities/gliowatch/store", new.encode())
            wait(lambda: any(each["change"] for each in reports(tmp_path)))
        finally:
            running.terminate()
            running.wait(120)
    assert {each["input"]["study"]["uid"] for each in reports(tmp_path)} == {OLD, NEW}
    (old,) = (each for each in reports(tmp_path) if each["input"]["study"]["uid"] == OLD)
    (told,) = (each for each in reports(tmp_path) if each["change"])
    assert told["input"]["study"]["uid"] == NEW
    assert told["change"]["prior_scan_id"] == old["scan_id"]
    assert told["change"]["days"] == 30
    assert (told["revision"], told["supersedes"]) == (2, 1)
    account = asyncio.run(verify(load_settings(tmp_path / "settings.toml")))
    assert (account.files["waiting"], account.differences) == (0, ())


OLD, NEW = "1.2.31", "1.2.32"


def flair(folder: Path, study: str, day: str) -> list[bytes]:
    """A FLAIR study of a day; other pictures than those of another day."""
    folder.mkdir()
    change = tagged(
        StudyInstanceUID=study,
        FrameOfReferenceUID=f"{study}.2",
        PatientID="P1",
        StudyDate=day,
        AcquisitionDate=day,
        AcquisitionTime="080000",
    )
    series = Series(name="FLAIR", uid=f"{study}.1", change=change)
    stored = BIG + np.uint16(int(day) % 1000)
    return [path.read_bytes() for path in write_series(folder, stored, series=series)]


def _bring(address: str, objects: list[bytes]) -> str:
    """Into the archive; what it calls the study."""
    before = set(ask(f"{address}/studies"))
    for each in objects:
        post(f"{address}/instances", each)
    (study,) = set(ask(f"{address}/studies")) - before
    return str(study)


def reports(folder: Path) -> list[dict[str, Any]]:
    """Of all revisions that are published."""
    return [json.loads(path.read_text()) for path in folder.glob("outbox/[!.]*/*/*_report.json")]


def wait(condition: Callable[[], object], seconds: float = 400) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.2)
