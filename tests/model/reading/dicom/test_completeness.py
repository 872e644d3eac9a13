"""Series whose own headers count more pictures than have arrived."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from model.reading.dicom.study import read_dicom
from model.volume import Note
from tests.model.reading.dicom.test_enhanced import items, write_enhanced
from tests.phantoms.dicom_series import STORED, Change, Series, write_series
from tests.phantoms.heads import codes


def said(**values: Any) -> Change:
    """The same values in every slice."""

    def change(number: int, image: Dataset) -> None:
        for name, value in values.items():
            setattr(image, name, value)

    return change


def placed(number: int, image: Dataset) -> None:
    """Each slice with its own position in the stack, from 1."""
    image.InStackPositionNumber = number + 1


def notes_of(files: tuple[Path, ...]) -> tuple[Note, ...]:
    return tuple(note for note in read_dicom(files).notes if note.code == "incomplete")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"NumberOfSeriesRelatedInstances": 6}, "4 of 6 pictures of the series"),
        ({"ImagesInAcquisition": 6}, "4 of 6 pictures of the series"),
        ({"NumberOfStudyRelatedInstances": 6}, "4 of 6 files of the study"),
        ({"NumberOfSeriesRelatedInstances": -1}, ""),
        ({"NumberOfSeriesRelatedInstances": 10**9}, ""),
        ({"ImagesInAcquisition": 6, "ImageType": ["DERIVED", "SECONDARY"]}, ""),
        ({"NumberOfSeriesRelatedInstances": 4, "NumberOfStudyRelatedInstances": 60}, ""),
    ],
)
def test_a_count_that_is_not_met_is_told(
    tmp_path: Path, values: dict[str, Any], words: str
) -> None:
    files = write_series(tmp_path, series=Series(change=said(**values)))
    found = [note.message for note in notes_of(files[:4])]
    assert len(found) == bool(words)
    assert all(words in message for message in found)
    if words:
        assert notes_of(files) == ()


def test_a_picture_that_came_twice_stands_for_no_other(tmp_path: Path) -> None:
    change = said(NumberOfSeriesRelatedInstances=6)
    files = write_series(tmp_path, series=Series(change=change))
    again = tmp_path / "again"
    again.write_bytes(files[0].read_bytes())
    assert codes(notes_of((*files[:5], again))) == ["incomplete"]


def test_what_is_no_picture_counts_for_the_study(tmp_path: Path) -> None:
    change = said(NumberOfStudyRelatedInstances=7)
    files = write_series(tmp_path, series=Series(change=change))
    assert codes(notes_of(files)) == ["incomplete"]
    paper = _paper(tmp_path / "paper")
    assert notes_of((*files, paper)) == ()


def _paper(path: Path) -> Path:
    """A document of the same study."""
    (file,) = write_series(path.parent, STORED[:, :, :1], series=Series(prefix="paper"))
    image = pydicom.dcmread(file)
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = EncapsulatedPDFStorage
    del image.PixelData
    image.save_as(path)
    file.unlink()
    return path


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (slice(2, None), "slices 1 to 2 of the stack have"),
        (slice(1, None), "slice 1 of the stack has"),
        (slice(None, 4), ""),  # nobody knows the last
        (slice(None), ""),
    ],
)
def test_positions_in_the_stack_that_are_missing_are_told(
    tmp_path: Path, kept: slice, words: str
) -> None:
    files = write_series(tmp_path, series=Series(change=placed))
    found = [note.message for note in notes_of(files[kept])]
    assert len(found) == bool(words)
    assert all(words in message for message in found)


def test_a_slice_of_an_enhanced_file_knows_its_position(tmp_path: Path) -> None:
    def numbered(number: int, groups: Dataset) -> None:
        if number >= 0:
            groups.FrameContentSequence = items(InStackPositionNumber=number + 3)

    (note,) = notes_of(write_enhanced(tmp_path / "e", change=numbered))
    assert "slices 1 to 2 of the stack" in note.message


def test_a_whole_enhanced_file_is_one_instance_of_many_pictures(tmp_path: Path) -> None:
    def counted(number: int, image: Dataset) -> None:
        if number < 0:
            image.NumberOfSeriesRelatedInstances, image.ImagesInAcquisition = 1, 6

    assert notes_of(write_enhanced(tmp_path / "e", change=counted)) == ()


def test_a_gap_is_named_with_its_slices(tmp_path: Path) -> None:
    stored = np.random.default_rng(1).integers(0, 999, (14, 10, 24)).astype(np.uint16)
    files = write_series(tmp_path, stored)
    (note,) = notes_of(files[:7] + files[8:])
    assert "Slice 8 of 24" in note.message
