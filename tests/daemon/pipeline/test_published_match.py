"""Numbers that an anonymizer made anew, slice by slice or all: one scan all the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from daemon.intake.late_files import files_before
from daemon.settings import Settings
from tests.conftest import gliowatch
from tests.daemon.pipeline.test_late_files import drop, names_of, packed, published, run
from tests.phantoms.dicom_series import Series, write_series

BIG = np.random.default_rng(5).integers(0, 999, (64, 60, 12)).astype(np.uint16)
DAY = "20240229"


def made(folder: Path, name: str = "FLAIR", day: str = DAY, shift: int = 0) -> tuple[Path, ...]:
    """Twelve slices, each of which bears a StudyInstanceUID of its own."""
    folder.mkdir(parents=True)

    def change(number: int, image: Dataset) -> None:
        image.StudyInstanceUID, image.StudyDate = generate_uid(), day
        image.PatientID, image.FrameOfReferenceUID = "P", "1.9"

    series = Series(name=name, uid=f"1.9.{len(name)}", prefix=name[:2], change=change)
    return write_series(folder, BIG + np.uint16(shift), series=series)


def changed(files: tuple[Path, ...], folder: Path, **tags: str) -> tuple[Path, ...]:
    """The same pictures under other values; "new" is a new number for each."""
    folder.mkdir()
    for file in files:
        image = pydicom.dcmread(file)
        for tag, value in tags.items():
            setattr(image, tag, generate_uid() if value == "new" else value)
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.save_as(folder / file.name)
    return tuple(folder / file.name for file in files)


def codes(report: dict[str, Any]) -> list[str]:
    return [note["code"] for note in report["quality"]]


@pytest.mark.parametrize("late", [[5], [11], [0, 11]], ids=["a hole", "an end", "both ends"])
def test_a_late_slice_of_a_study_numbered_slice_by_slice_joins_it(
    hospital: Settings, tmp_path: Path, late: list[int]
) -> None:
    files = made(tmp_path / "made")
    drop(hospital, tuple(f for n, f in enumerate(files) if n not in late))
    run(hospital)
    (first,) = published(hospital).values()
    drop(hospital, tuple(files[n] for n in late))
    run(hospital)
    found = published(hospital)
    assert names_of(found) == ("", "-r2")
    report = found[f"{first['scan_id']}-r2"]
    assert report["input"]["shape"] == [64, 60, 12]
    assert "late_files" in codes(report)
    assert report["input"]["study"]["uid"] == first["input"]["study"]["uid"]
    assert gliowatch(hospital, "verify").returncode == 0


@pytest.mark.parametrize(
    ("name", "day"), [("t1 mprage", DAY), ("FLAIR", "20240311")], ids=["sequence", "day"]
)
def test_a_slice_of_another_sequence_or_day_does_not_join(
    hospital: Settings, tmp_path: Path, name: str, day: str
) -> None:
    files = made(tmp_path / "made")
    drop(hospital, files[:5] + files[6:])
    run(hospital)
    drop(hospital, made(tmp_path / "other", name, day, 3)[5:6])
    run(hospital)
    found = published(hospital).values()
    assert sorted(report["input"]["shape"][2] for report in found) == [1, 12]
    assert {report["revision"] for report in found} == {1}
    assert not any("may_belong" in codes(report) for report in found)


def test_the_rest_of_a_study_joins_the_slice_that_came_first(
    hospital: Settings, tmp_path: Path
) -> None:
    files = made(tmp_path / "made")
    drop(hospital, files[:1])
    run(hospital)
    drop(hospital, files[1:])
    run(hospital)
    found = published(hospital)
    assert names_of(found) == ("", "-r2")
    assert [report["input"]["shape"][2] for report in found.values()] == [1, 12]


def test_a_slice_that_fits_but_not_for_certain_is_flagged_on_both(
    hospital: Settings, tmp_path: Path
) -> None:
    files = made(tmp_path / "made")
    drop(hospital, files[:5] + files[6:])
    run(hospital)
    (whole,) = published(hospital)
    late = changed(
        files[5:6], tmp_path / "late", FrameOfReferenceUID="new", SeriesInstanceUID="new"
    )
    drop(hospital, late)
    run(hospital)
    found = published(hospital)
    assert len({report["scan_id"] for report in found.values()}) == 2
    (own,) = (each for each in found.values() if each["scan_id"] != whole)
    assert own["input"]["may_belong_to"] == [whole]
    assert "may_belong" in codes(own)
    flagged = found[f"{whole}-r2"]
    assert "may_lack" in codes(flagged)
    assert flagged["finding"] == found[whole]["finding"]


ALL = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def test_a_scan_that_comes_again_under_all_new_numbers_is_a_duplicate(
    hospital: Settings, tmp_path: Path
) -> None:
    files = made(tmp_path / "made")
    drop(hospital, files)
    run(hospital)
    again = changed(files, tmp_path / "again", **dict.fromkeys(ALL, "new"))
    drop(hospital, again, "again")
    run(hospital)
    drop(hospital, changed(files, tmp_path / "part", **dict.fromkeys(ALL, "new"))[3:6], "part")
    run(hospital)
    assert names_of(published(hospital)) == ("",)
    assert len(list((hospital.daemon.inbox / ".duplicates").rglob("FL*"))) == 12 + 3


def test_a_part_that_comes_whole_under_all_new_numbers_is_replaced(
    hospital: Settings, tmp_path: Path
) -> None:
    files = made(tmp_path / "made")
    drop(hospital, files[:7])
    run(hospital)
    study = dict.fromkeys(ALL, generate_uid()) | {"SOPInstanceUID": "new"}
    drop(hospital, changed(files, tmp_path / "again", **study), "again")
    run(hospital)
    found = published(hospital)
    assert names_of(found) == ("", "-r2")
    assert [report["input"]["shape"][2] for report in found.values()] == [7, 12]


def test_the_same_pictures_of_another_day_are_another_scan(
    hospital: Settings, tmp_path: Path
) -> None:
    files = made(tmp_path / "made")
    later = dict.fromkeys(ALL, "new") | {"StudyDate": "20240311"}
    drop(hospital, files)
    drop(hospital, changed(files, tmp_path / "later", **later), "b")
    run(hospital)
    found = published(hospital).values()
    assert len({report["scan_id"] for report in found}) == 2
    assert {report["input"]["shape"][2] for report in found} == {12}


def test_slices_that_came_in_an_archive_of_several_studies_stay_with_theirs(
    tmp_path: Path,
) -> None:
    files = made(tmp_path / "made")
    known = str(pydicom.dcmread(files[0]).StudyInstanceUID)
    (tmp_path / "source").mkdir()
    for file in files[:8]:
        file.rename(tmp_path / "source" / file.name)
    made(tmp_path / "made" / "other", "t2 FLAIR", "20240311", 3)
    packed(tmp_path / "source" / "late.zip", tmp_path / "made")
    found = files_before(tmp_path / "source", tmp_path / "staging", known)
    assert sorted(found.values()) == [file.name for file in files]
