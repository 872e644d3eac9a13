"""What belongs to a study by where its pictures lie, and not by its numbers."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from model.reading.dicom.patient_tags import Named, Study
from model.reading.dicom.studies import Fit, fit_of
from tests.phantoms.dicom_series import Series, write_series


def slices(folder: Path, **tags: str) -> tuple[Path, ...]:
    """Six slices, each under a StudyInstanceUID of its own; "new" is a new number for each."""
    folder.mkdir()

    def change(number: int, image: Dataset) -> None:
        image.StudyInstanceUID, image.StudyDate = generate_uid(), "20240229"
        for tag, value in tags.items():
            setattr(image, tag, generate_uid() if value == "new" else value)

    return write_series(folder, series=Series(change=change))


@pytest.mark.parametrize("late", [(2,), (0,), (5,), (0, 2, 5)])
def test_what_fits_a_hole_or_an_end_is_of_the_study(tmp_path: Path, late: tuple[int, ...]) -> None:
    files = slices(tmp_path / "a")
    old = [file for number, file in enumerate(files) if number not in late]
    new = [files[number] for number in late]
    assert fit_of(old, new) is Fit.SURE
    assert fit_of(new, old) is Fit.SURE


@pytest.mark.parametrize(
    ("tags", "fit"),
    [
        ({}, Fit.SURE),
        ({"SeriesInstanceUID": "new"}, Fit.SURE),
        ({"SeriesInstanceUID": "new", "FrameOfReferenceUID": "new"}, Fit.PERHAPS),
        ({"SeriesInstanceUID": "new", "StudyDate": "20240311"}, Fit.NONE),
        ({"SeriesInstanceUID": "new", "PatientID": "Q"}, Fit.NONE),
        ({"SeriesInstanceUID": "new", "SeriesDescription": "t1 mprage"}, Fit.NONE),
        ({"SeriesInstanceUID": "new", "EchoTime": "9"}, Fit.NONE),
        ({"SeriesInstanceUID": "new", "PixelSpacing": "3\\3"}, Fit.NONE),
        ({"SeriesInstanceUID": "new", "ImageOrientationPatient": "0\\1\\0\\0\\0\\-1"}, Fit.NONE),
        ({"SeriesInstanceUID": "new", "ImagePositionPatient": "40\\40\\900"}, Fit.NONE),
    ],
)
def test_one_slice_fits_by_all_that_its_header_says(
    tmp_path: Path, tags: dict[str, str], fit: Fit
) -> None:
    old = slices(tmp_path / "a", EchoTime="120")
    late = slices(tmp_path / "b", **({"EchoTime": "120"} | tags))
    assert fit_of(old[:2] + old[3:], late[2:3]) is fit


def test_another_picture_of_a_place_that_is_taken_does_not_fit(tmp_path: Path) -> None:
    old, late = slices(tmp_path / "a"), slices(tmp_path / "b", SeriesInstanceUID="new")
    content = late[2].read_bytes()
    late[2].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert fit_of(old, late[2:3]) is Fit.NONE


@pytest.mark.parametrize("number", ["1.9.2", "1.9.1", None])
def test_the_number_by_which_a_scan_is_known_stays_the_first(number: str | None) -> None:
    named = Named(studies=(Study("1.9.1"), Study("1.9.2")))
    assert named.known_as(number).uids[0] == (number or "1.9.1")
