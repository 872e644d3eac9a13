"""The same pictures with corrected patient data: record and result follow, and nothing is lost."""

import asyncio
import hashlib
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from daemon.settings import Settings
from tests.conftest import gliowatch, left_in_inbox
from tests.daemon.outputs.test_pdf import page_text
from tests.daemon.pipeline import corrections
from tests.daemon.pipeline.corrections import send
from tests.daemon.pipeline.test_late_files import drop, names_of, published
from tests.phantoms.dicom_series import Series, write_series
from tests.viewer.test_house import house_of

BIG = np.random.default_rng(5).integers(0, 999, (64, 60, 6)).astype(np.uint16)
FIRST = {
    "PatientID": "77",
    "PatientName": "Lovelace^Ada",
    "PatientBirthDate": "18151210",
    "AccessionNumber": "A1",
}


def made(folder: Path, **tags: str) -> tuple[Path, ...]:
    """The same six pictures, with these words about patient and study."""
    folder.mkdir()

    def change(number: int, image: Dataset) -> None:
        image.StudyInstanceUID, image.FrameOfReferenceUID = "1.2.1", "1.9"
        image.SOPInstanceUID = f"1.2.1.1.{number}"
        for name, value in (FIRST | tags).items():
            setattr(image, name, value)

    return write_series(folder, BIG, series=Series(name="FLAIR", uid="1.2.1.1", change=change))


def run(hospital: Settings) -> None:
    corrections.run(hospital)
    assert left_in_inbox(hospital) == []


def codes(report: dict[str, Any]) -> list[str]:
    return [note["code"] for note in report["quality"]]


def record(hospital: Settings) -> tuple[str, ...]:
    with sqlite3.connect(hospital.daemon.records) as records:
        ask = "SELECT name, birth_date, gender FROM patients WHERE patient_id = 'P'"
        return tuple(records.execute(ask).fetchone())


async def pages(hospital: Settings, scan_id: str) -> tuple[str, str]:
    """The page of the scan, and that of its patient."""
    async with house_of(hospital) as house:
        page = await house.page(f"/scans/{scan_id}")
        _, place = await house.post("/searches", {"back": "/patients", "text": "Byron"})
        key = (await house.page(place)).split('href="/patients/')[-1]
        return page, await house.page("/patients/" + key[:16])


def test_record_result_and_history_follow_the_correction(
    hospital: Settings, tmp_path: Path
) -> None:
    drop(hospital, made(tmp_path / "a"))
    run(hospital)
    assert record(hospital) == ("Lovelace, Ada", "1815-12-10", "")
    new = {"PatientName": "Byron^Ada", "PatientBirthDate": "18151211", "AccessionNumber": "A2"}
    corrected = made(tmp_path / "b", **new)
    drop(hospital, corrected)
    run(hospital)
    found = published(hospital)
    assert names_of(found) == ("", "-r2")
    old, report = found.values()
    assert (report["revision"], report["supersedes"], report["judged_revision"]) == (2, 1, 1)
    assert {k: report[k] for k in ("finding", "volume_ml", "lesions")} == {
        k: old[k] for k in ("finding", "volume_ml", "lesions")
    }
    assert report["input"]["study"]["accession"] == "A2"
    assert (codes(old).count("identity_corrected"), codes(report)[-1]) == (0, "identity_corrected")
    (said,) = (n["message"] for n in report["quality"] if n["code"] == "identity_corrected")
    assert "another Name, Birth date, Accession number" in said
    assert record(hospital) == ("Byron, Ada", "1815-12-11", "")
    (folder,) = hospital.daemon.outbox.glob("P/*-r2")
    assert "Byron, Ada" in page_text(folder / f"{report['scan_id']}_report.pdf")
    objects = [
        pydicom.dcmread(path) for path in folder.glob("**/*.dcm") if "source" not in str(path)
    ]
    assert objects
    assert {str(each.PatientName) for each in objects} == {"Byron^Ada"}
    kept = {hashlib.sha256(p.read_bytes()).digest() for p in (folder / "source").rglob("IM*")}
    assert kept == {hashlib.sha256(path.read_bytes()).digest() for path in corrected}
    page, history = asyncio.run(pages(hospital, report["scan_id"]))
    assert said in page.replace("&#39;", "'")
    assert "Lovelace, Ada" in history
    assert "A1" in history
    assert gliowatch(hospital, "verify").returncode == 0


@pytest.mark.parametrize("what", ["the same bytes", "nothing told"])
def test_no_correction_is_a_duplicate(hospital: Settings, tmp_path: Path, what: str) -> None:
    first = made(tmp_path / "a")
    drop(hospital, first)
    run(hospital)
    empty = {"PatientName": "", "PatientBirthDate": "", "AccessionNumber": ""}
    drop(hospital, first if what == "the same bytes" else made(tmp_path / "b", **empty))
    run(hospital)
    assert names_of(published(hospital)) == ("",)
    assert len(list((hospital.daemon.inbox / ".duplicates").rglob("IM*"))) == 6


def test_a_corrected_patient_id_is_no_conflict(hospital: Settings, tmp_path: Path) -> None:
    drop(hospital, made(tmp_path / "a"))
    run(hospital)
    drop(hospital, made(tmp_path / "b", PatientID="78"))
    run(hospital)
    _, report = published(hospital).values()
    assert "identity_corrected" in codes(report)
    assert "identity_conflict" not in codes(report)
    with sqlite3.connect(hospital.daemon.index) as index:
        assert index.execute("SELECT dicom_id FROM identities").fetchall() == [("78",)]


def test_a_correction_that_brings_more_pictures_is_both(hospital: Settings, tmp_path: Path) -> None:
    drop(hospital, made(tmp_path / "a")[:4])
    run(hospital)
    drop(hospital, made(tmp_path / "b", PatientName="Byron^Ada"))
    run(hospital)
    _, report = published(hospital).values()
    assert {"late_files", "identity_corrected"} <= set(codes(report))
    assert report["input"]["shape"][2] == 6
    assert report["input"]["files"] == 6


def test_what_a_person_entered_and_drew_stays(hospital: Settings, tmp_path: Path) -> None:
    drop(hospital, made(tmp_path / "a"))
    run(hospital)
    (first,) = published(hospital).values()
    (folder,) = hospital.daemon.outbox.glob("P/*")
    mask = folder / f"{first['scan_id']}_seg.nii.gz"
    import nibabel as nib

    drawn = nib.Nifti1Image.from_filename(mask)
    voxels = np.zeros(drawn.shape, np.uint8)
    voxels[20:30, 20:30, 2:4] = 1
    nib.save(nib.Nifti1Image(voxels, drawn.affine, drawn.header), tmp_path / "m.nii.gz")
    send(hospital, first["scan_id"], tmp_path / "m.nii.gz")
    run(hospital)
    shutil.rmtree(hospital.daemon.inbox / "P", ignore_errors=True)
    drop(hospital, made(tmp_path / "b", PatientName="Byron^Ada"))
    run(hospital)
    *_, second, third = published(hospital).values()
    assert second["mask"] == third["mask"]
    assert third["volume_voxels"] == 200
    assert "identity_corrected" in codes(third)
