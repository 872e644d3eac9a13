"""Files that come late for a study: a new revision of its scan, whole, and nothing is lost."""

import hashlib
import json
import shutil
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from daemon.settings import Settings
from tests.conftest import drain, gliowatch, left_in_inbox, reasons
from tests.daemon.intake.test_study_split import export, tagged
from tests.phantoms.dicom_series import Series, write_series


def published(hospital: Settings) -> dict[str, dict[str, Any]]:
    """The report of every published folder, by the folder's name."""
    found = hospital.daemon.outbox.glob("*/*/*_report.json")
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(found)}


def names_of(reports: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """The folders' names with their one scan_id taken off: "", "-r2", …"""
    (scan_id,) = {report["scan_id"] for report in reports.values()}
    return tuple(name.removeprefix(scan_id) for name in reports)


def content(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def run(hospital: Settings, code: int = 0) -> None:
    done = drain(hospital.daemon.inbox.parent)
    assert done.returncode == code, done.stderr
    assert left_in_inbox(hospital) == []


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, ...]:
    """Six slices of one FLAIR series, outside the inbox."""
    return export(tmp_path / "made", "1.2.1", "FLAIR", "1.2.1.1")


def drop(hospital: Settings, files: tuple[Path, ...], folder: str = "x") -> None:
    place = hospital.daemon.inbox / "P" / folder
    place.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy(file, place)


def test_late_slices_make_a_revision_and_the_first_result_stays(
    hospital: Settings, made: tuple[Path, ...]
) -> None:
    drop(hospital, made[:4])
    run(hospital)
    (first,) = hospital.daemon.outbox.glob("P/*")
    before = content(first)
    drop(hospital, made[4:])
    run(hospital)
    found = published(hospital)
    assert names_of(found) == ("", "-r2")
    old, new = found.values()
    assert content(first) == before
    assert (old["revision"], old["supersedes"]) == (1, None)
    assert (new["revision"], new["supersedes"]) == (2, 1)
    assert (old["input"]["shape"][2], new["input"]["shape"][2]) == (4, 6)
    assert new["input"]["files"] == 6
    assert "late_files" in [note["code"] for note in new["quality"]]
    second = first.with_name(f"{first.name}-r2")
    kept = set(content(second / "source").values())
    assert kept == {hashlib.sha256(path.read_bytes()).hexdigest() for path in made}
    sr = pydicom.dcmread(second / "dicom" / f"{first.name}_sr.dcm")
    study = sr.PredecessorDocumentsSequence[0]
    named = study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert named == pydicom.dcmread(first / "dicom" / f"{first.name}_sr.dcm").SOPInstanceUID
    assert sr.SOPInstanceUID != named


@pytest.mark.long
def test_what_is_known_of_a_study_makes_no_revision(
    hospital: Settings, made: tuple[Path, ...]
) -> None:
    drop(hospital, made[:4])
    run(hospital)
    drop(hospital, made[4:])
    run(hospital)
    for again in (made, made[:4], made[2:5]):
        drop(hospital, again, "again")
        run(hospital)
    assert names_of(published(hospital)) == ("", "-r2")
    assert len(list((hospital.daemon.inbox / ".duplicates").rglob("*000*"))) == 6 + 4 + 3


@pytest.mark.long
def test_a_late_flair_is_analyzed(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    export(patient / "a", "1.2.1", "t1 mprage", "1.2.1.2", 7)
    run(hospital)
    export(patient / "b", "1.2.1", "FLAIR", "1.2.1.1")
    run(hospital)
    found = published(hospital)
    assert names_of(found) == ("", "-r2")
    old, new = found.values()
    assert old["finding"] == "not_judged"
    assert new["finding"] != "not_judged"
    assert {each["description"]: each["chosen"] for each in new["input"]["series"]} == {
        "t1 mprage": False,
        "FLAIR": True,
    }


@pytest.mark.long
def test_the_same_study_under_another_patient_is_no_revision(
    hospital: Settings, made: tuple[Path, ...]
) -> None:
    drop(hospital, made[:4])
    run(hospital)
    (hospital.daemon.inbox / "P").rename(hospital.daemon.inbox / "Q")
    drop(hospital, made[4:], "y")
    (hospital.daemon.inbox / "P" / "y").rename(hospital.daemon.inbox / "Q" / "y")
    run(hospital)
    assert {report["revision"] for report in published(hospital).values()} == {1}


@pytest.mark.long
def test_another_picture_of_a_known_number_is_refused_and_the_result_stays(
    hospital: Settings, made: tuple[Path, ...]
) -> None:
    drop(hospital, made)
    run(hospital)
    image = pydicom.dcmread(made[2])
    image.PixelData = bytes([image.PixelData[0] ^ 1]) + image.PixelData[1:]
    image.save_as(made[2])
    drop(hospital, made[2:3])
    run(hospital, 1)
    assert names_of(published(hospital)) == ("",)
    (reason,) = reasons(hospital).values()
    assert "differ" in reason


@pytest.mark.long
def test_a_late_object_without_a_picture_is_filed_beside_its_study(
    hospital: Settings, made: tuple[Path, ...]
) -> None:
    drop(hospital, made)
    run(hospital)
    (sr,) = hospital.daemon.outbox.glob("P/*/dicom/*_sr.dcm")
    drop(hospital, (sr,))
    run(hospital)
    found = published(hospital)
    assert names_of(found) == ("",)
    assert reasons(hospital) == {}
    ((scan_id, report),) = found.items()
    assert report["revision"] == 1
    beside = hospital.daemon.outbox / ".extra" / scan_id / "source"
    (kept,) = beside.rglob("*_sr.dcm")
    assert kept.read_bytes() == sr.read_bytes()


@pytest.mark.long
@pytest.mark.parametrize("more", [False, True])
def test_a_crash_before_the_commit_of_a_revision_loses_nothing(
    hospital: Settings, made: tuple[Path, ...], more: bool
) -> None:
    """The revision lies in the outbox, the index does not know it; `more` came meanwhile."""
    drop(hospital, made[:3])
    run(hospital)
    drop(hospital, made[3:5])
    run(hospital)
    with sqlite3.connect(hospital.daemon.index) as index:
        index.execute("DELETE FROM scans WHERE revision = 2")
    drop(hospital, made[3 + more :])
    run(hospital)
    found = published(hospital)
    assert names_of(found) == ("", "-r2", "-r3")
    assert [report["input"]["shape"][2] for report in found.values()] == [3, 5, 6]
    with sqlite3.connect(hospital.daemon.index) as index:
        known = index.execute("SELECT revision FROM scans ORDER BY revision").fetchall()
    assert known == [(1,), (2,), (3,)]


@pytest.mark.long
def test_a_revision_that_was_published_before_a_crash_is_entered_once(
    hospital: Settings, made: tuple[Path, ...]
) -> None:
    drop(hospital, made[:4])
    run(hospital)
    drop(hospital, made[4:])
    run(hospital)
    with sqlite3.connect(hospital.daemon.index) as index:  # all that the commit would have kept
        index.execute("DELETE FROM scans WHERE revision = 2")
        index.execute("DELETE FROM files WHERE drop_id = 2")
        index.execute("DELETE FROM drops WHERE drop_id = 2")
    drop(hospital, made[4:])
    run(hospital)
    assert names_of(published(hospital)) == ("", "-r2")
    with sqlite3.connect(hospital.daemon.index) as index:
        states = index.execute("SELECT state FROM drops ORDER BY drop_id").fetchall()
        known = index.execute("SELECT count(*) FROM scans").fetchone()
    assert states == [("done",)] * 2
    assert known == (2,)


def packed(place: Path, folder: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(place, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(folder))


def test_a_zip_of_two_studies_is_two_scans(hospital: Settings, tmp_path: Path) -> None:
    export(tmp_path / "made" / "a", "1.2.1", "FLAIR", "1.2.1.1")
    export(tmp_path / "made" / "b", "1.2.2", "FLAIR", "1.2.2.1", 1)
    (tmp_path / "made" / "DICOMDIR").write_bytes(b"no study")
    packed(hospital.daemon.inbox / "P" / "export.zip", tmp_path / "made")
    whole = hashlib.sha256((hospital.daemon.inbox / "P" / "export.zip").read_bytes()).hexdigest()
    run(hospital)
    found = published(hospital)
    assert [report["input"]["shape"][2] for report in found.values()] == [6, 6]
    for name in found:
        folder = hospital.daemon.outbox / "P" / name
        assert content(folder / "source") == {"export.zip": whole}


def test_a_zip_with_a_broken_study_is_set_aside_whole_and_the_good_one_is_done(
    hospital: Settings, tmp_path: Path
) -> None:
    export(tmp_path / "made" / "a", "1.2.1", "FLAIR", "1.2.1.1")
    broken = export(tmp_path / "made" / "b", "1.2.2", "FLAIR", "1.2.2.1", 1)
    for path in broken:
        path.write_bytes(path.read_bytes()[:-3000])
    packed(hospital.daemon.inbox / "P" / "export.zip", tmp_path / "made")
    run(hospital, 1)
    assert len(published(hospital)) == 1
    assert set(reasons(hospital)) == {"export.zip"}


@pytest.mark.long
def test_a_late_zip_joins_an_earlier_zip(hospital: Settings, tmp_path: Path) -> None:
    first = export(tmp_path / "a", "1.2.1", "FLAIR", "1.2.1.1")
    export(tmp_path / "a" / "other", "1.2.2", "FLAIR", "1.2.2.1", 1)
    late = tmp_path / "late"
    late.mkdir()
    for path in first[4:]:
        path.rename(late / path.name)
    packed(hospital.daemon.inbox / "P" / "export.zip", tmp_path / "a")
    run(hospital)
    packed(hospital.daemon.inbox / "P" / "export.zip", late)
    run(hospital)
    shapes = {name[20:]: each["input"]["shape"][2] for name, each in published(hospital).items()}
    assert shapes["-r2"] == 6
    assert len(published(hospital)) == 3


def test_what_headers_tell_of_the_study_stands_in_report_and_index(hospital: Settings) -> None:
    scanner = {"Manufacturer": "SIEMENS", "ManufacturerModelName": "Aera"}
    study = {"AccessionNumber": "ACC 7", "StudyDate": "20240131", "StudyInstanceUID": "1.2.9"}
    told = tagged(**study, **scanner, MagneticFieldStrength="1.494")
    (hospital.daemon.inbox / "P").mkdir()
    voxels = np.random.default_rng(2).integers(0, 999, (64, 60, 6)).astype(np.uint16)
    write_series(hospital.daemon.inbox / "P", voxels, series=Series(change=told))
    run(hospital)
    (report,) = published(hospital).values()
    assert report["input"]["study"] == {
        "uid": "1.2.9",
        "accession": "ACC 7",
        "date": "2024-01-31",
        "scanner": {"manufacturer": "SIEMENS", "model": "Aera", "field_tesla": 1.494},
    }
    with sqlite3.connect(hospital.daemon.index) as index:
        row = index.execute("SELECT study_uid, accession, study_date, scanner FROM scans")
        assert row.fetchone() == ("1.2.9", "ACC 7", "2024-01-31", "Siemens Aera 1.5 T")
        counted = index.execute("SELECT scanner, sum(scans) FROM month_figures GROUP BY figure")
        assert ("Siemens Aera 1.5 T", 1) in counted.fetchall()


@pytest.mark.long
def test_another_patient_of_the_same_study_number_is_not_joined(
    hospital: Settings, tmp_path: Path
) -> None:
    for number, patient in enumerate(("ALICE", "BOB")):
        told = tagged(PatientID=patient, StudyInstanceUID="1.2.9", FrameOfReferenceUID="1.9")
        (tmp_path / patient).mkdir()
        voxels = np.random.default_rng(number).integers(0, 999, (64, 60, 6)).astype(np.uint16)
        write_series(tmp_path / patient, voxels, series=Series(uid=f"1.3.{number}", change=told))
        packed(hospital.daemon.inbox / f"{patient}.zip", tmp_path / patient)
        run(hospital)
    found = published(hospital)
    assert len(found) == 2
    assert {report["revision"] for report in found.values()} == {1}


@pytest.mark.long
def test_a_slice_that_came_cut_off_may_come_again(
    hospital: Settings, made: tuple[Path, ...]
) -> None:
    drop(hospital, made)
    cut = hospital.daemon.inbox / "P" / "x" / made[3].name
    cut.write_bytes(cut.read_bytes()[:-3000])
    run(hospital, 1)
    assert len(reasons(hospital)) == 6
    assert gliowatch(hospital, "queue", "retry", "1").returncode == 0
    drop(hospital, made[3:4], "again")
    run(hospital)
    (report,) = published(hospital).values()
    assert report["input"]["shape"][2] == 6
    assert "came_twice" in [note["code"] for note in report["quality"]]


@pytest.mark.long
def test_a_clock_that_was_set_back_does_not_hide_the_newest_revision(
    hospital: Settings, made: tuple[Path, ...]
) -> None:
    drop(hospital, made[:3])
    run(hospital)
    with sqlite3.connect(hospital.daemon.index) as index:
        index.execute("UPDATE scans SET published_at = '2999-01-01T00:00:00.000+00:00'")
    drop(hospital, made[3:5])
    run(hospital)
    drop(hospital, made[5:])
    run(hospital)
    assert names_of(published(hospital)) == ("", "-r2", "-r3")
