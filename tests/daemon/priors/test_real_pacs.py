"""A real Orthanc is asked by C-FIND and C-MOVE, and sends what is missing to the real node."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from tests.daemon.dicom_node.senders import kept, picture, pixels, real_node
from tests.daemon.dicom_node.test_real_senders import orthanc, post
from tests.daemon.outputs.dicom.test_pacs import free_port

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


def test_the_newest_studies_come_once_and_an_archive_that_is_away_is_told(tmp_path: Path) -> None:
    port, store = free_port(), tmp_path / "orthanc"
    store.mkdir()
    old, newer, newest = (dated(f"1.2.{n}", f"202{n}0101") for n in (1, 2, 3))
    others = dated("1.2.5", "20250101", "CT"), dated("1.2.6", "20250101", patient="P11")
    with real_node(tmp_path) as node:
        with (tmp_path / "settings.toml").open("a") as settings:
            settings.write(
                f'[dicom.priors]\nhost = "127.0.0.1"\nport = {port}\n'
                'called_ae_title = "ORTHANC"\nnewest = 2\n'
            )
        code, said = priors(tmp_path)
        assert (code, "cannot be reached" in said) == (2, True), said
        with orthanc(store, node.port, DicomPort=port) as address:
            for each in (old, newer, newest, *others):
                post(f"{address}/instances", bytes_of(each))
            code, said = priors(tmp_path)
            assert (code, said) == (
                0,
                TOLD.format(2, 0),
            )
            folders = node.wait_for(2)
            code, said = priors(tmp_path)
            assert (code, said) == (
                0,
                TOLD.format(0, 2),
            )
        assert [folder.parent.name for folder in folders] == ["P1", "P1"]
        assert kept(tmp_path / "inbox") == {pixels(newer): 1, pixels(newest): 1}
        times = {file.stat().st_mtime for folder in folders for file in folder.iterdir()}
        assert times == {1.0}  # the queue takes them last
        assert list(node.staging.asked.iterdir()) == []
    code, said = priors(tmp_path)
    assert (code, "node does not run" in said) == (2, True), said
