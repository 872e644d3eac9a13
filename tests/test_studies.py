"""A PACS export of several studies: each is one scan, and no file is lost or doubled."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from daemon.drops import Drop, DropKind
from daemon.inbox import NameRules, look_through
from daemon.settings import Settings
from daemon.studies import part_by_study
from tests.conftest import drain, left_in_inbox, reasons, reports
from tests.test_reading_dicom_setup import Change, Series, write_series

BIG = np.random.default_rng(5).integers(0, 999, (64, 60, 6)).astype(np.uint16)


def tagged(**values: Any) -> Change:
    def change(number: int, image: Dataset) -> None:
        for name, value in values.items():
            setattr(image, name, value)

    return change


def export(folder: Path, study: str, name: str, series: str, shift: int = 0) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    what = tagged(StudyInstanceUID=study, FrameOfReferenceUID="1.9", PatientID="P")
    written = Series(name=name, uid=series, prefix="", change=what)
    return write_series(folder, BIG + np.uint16(shift), series=written)


def test_two_studies_of_two_series_each_become_two_scans(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    for number, study in enumerate(("1.2.1", "1.2.2")):
        export(patient / f"e{number}" / "a", study, "FLAIR", f"{study}.1", number)
        export(patient / f"e{number}" / "deep" / "b", study, "t1 mprage", f"{study}.2")
    (patient / "DICOMDIR").write_bytes(b"no study")
    (patient / "e1" / "README.txt").write_text("Dear doctor")
    before = {path.relative_to(patient) for path in patient.rglob("*") if path.is_file()}
    done = drain(hospital.daemon.inbox.parent)
    assert done.returncode == 0, done.stderr
    found = reports(hospital)
    assert len(found) == 2
    for report in found:
        given = report["input"]
        assert [each["chosen"] for each in given["series"]] == [True, False]  # type: ignore[index]
    kept = [path for path in hospital.daemon.outbox.glob("P/*/source") for path in path.rglob("*")]
    assert len([path for path in kept if path.is_file()]) == len(before) == 26
    assert left_in_inbox(hospital) == []


def test_a_broken_study_does_not_harm_the_other(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    export(patient / "good", "1.2.1", "FLAIR", "1.2.1.1")
    broken = export(patient / "broken", "1.2.2", "FLAIR", "1.2.2.1", 1)
    broken[2].write_bytes(broken[2].read_bytes()[:400])  # no longer says of which study it is
    assert drain(hospital.daemon.inbox.parent).returncode == 1
    assert len(reports(hospital)) == 1
    aside = (hospital.daemon.inbox / ".rejected" / "P").rglob("*.reason.txt")
    assert [path.parent.name for path in aside] == ["broken"] * 6
    assert all("cut off" in reason for reason in reasons(hospital).values())
    assert left_in_inbox(hospital) == []


def test_the_same_study_again_is_a_duplicate(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    for _ in range(2):
        export(patient / "x", "1.2.1", "FLAIR", "1.2.1.1")
        export(patient / "y", "1.2.2", "FLAIR", "1.2.2.1", 1)
        saved = hospital.daemon.inbox.parent / "copy"
        if not saved.exists():
            shutil.copytree(patient, saved)
        shutil.rmtree(patient)
        shutil.copytree(saved, patient)
        assert drain(hospital.daemon.inbox.parent).returncode == 0
    assert len(reports(hospital)) == 2
    assert len(list((hospital.daemon.inbox / ".duplicates").rglob("0*"))) == 12


def test_studies_are_told_by_their_headers_alone(tmp_path: Path) -> None:
    export(tmp_path / "P" / "mixed", "1.2.1", "FLAIR", "1.2.1.1")
    export(tmp_path / "P" / "other", "1.2.2", "FLAIR", "1.2.2.1")
    for number, path in enumerate(sorted((tmp_path / "P" / "other").iterdir())):
        path.rename(tmp_path / "P" / "mixed" / f"z{number}")
    (tmp_path / "P" / "text").write_text("no study")
    (drop,) = look_through(tmp_path, NameRules((), ())).drops.values()
    parts = part_by_study(tmp_path, drop)
    assert [len(part.files) for part in parts] == [7, 6]  # the text goes with one of them
    assert {part.place for part in parts} == {b"P"}
    assert len({part.unit for part in parts}) == 2
    assert sorted(file for part in parts for file in part.files) == sorted(drop.files)
    assert drop.kind is DropKind.DICOM
    assert part_by_study(tmp_path, parts[0]) == (parts[0],)
    assert isinstance(parts[0], Drop)


def test_a_reexport_with_other_bytes_is_a_duplicate(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    export(patient / "x", "1.2.1", "FLAIR", "1.2.1.1")
    saved = hospital.daemon.inbox.parent / "again"
    saved.mkdir()
    for path in (patient / "x").iterdir():
        image = pydicom.dcmread(path)
        image.StationName = "another archive"
        image.compress(RLELossless, generate_instance_uid=False)
        image.save_as(saved / f"other-{path.name}")
    (saved / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + b"an index of its own")
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    shutil.copytree(saved, patient / "y")
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    assert len(reports(hospital)) == 1
    assert len(list((hospital.daemon.inbox / ".duplicates").rglob("other-*"))) == 6


def test_one_other_pixel_is_another_scan(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    export(patient / "x", "1.2.1", "FLAIR", "1.2.1.1")
    shutil.copytree(patient / "x", hospital.daemon.inbox.parent / "again")
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    shutil.copytree(hospital.daemon.inbox.parent / "again", patient / "x")
    image = pydicom.dcmread(patient / "x" / "0002")
    pixels = bytearray(image.PixelData)
    pixels[100] ^= 1
    image.PixelData = bytes(pixels)
    image.save_as(patient / "x" / "0002")
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    assert len(reports(hospital)) == 2
