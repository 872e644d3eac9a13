"""What is one volume: slices that fit one stack, whatever they are called, and what parts them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from model.reading.dicom.study import read_dicom
from model.volume import Volume
from tests.conftest import SHARED
from tests.phantoms.dicom_series import (
    AFFINE,
    RAS_TO_LPS,
    STORED,
    Change,
    Series,
    reason,
    texts,
    write_series,
)
from tests.phantoms.heads import codes

CASES = SHARED / "cases"
TWICE = np.concatenate([STORED, STORED + np.uint16(1)], axis=2)
STEP = (RAS_TO_LPS @ AFFINE)[:3, 2]


def uid(tag: str) -> Change:
    """Another number of this kind for each slice."""

    def change(number: int, image: Dataset) -> None:
        setattr(image, tag, generate_uid())

    return change


def value(tag: str, of: Callable[[int], Any]) -> Change:
    def change(number: int, image: Dataset) -> None:
        setattr(image, tag, of(number))

    return change


def both(*changes: Change) -> Change:
    def change(number: int, image: Dataset) -> None:
        for each in changes:
            each(number, image)

    return change


def twelve_bits(number: int, image: Dataset) -> None:
    if number % 2:
        image.BitsStored, image.HighBit = 12, 11


def moved(to: Callable[[int], float]) -> Change:
    """Each slice at that many steps from the first one."""

    def change(number: int, image: Dataset) -> None:
        corner = (RAS_TO_LPS @ AFFINE)[:3, 3] + to(number) * STEP
        image.ImagePositionPatient = texts(corner)

    return change


def again(number: int) -> float:
    """The place of each of twelve slices that are six, twice."""
    return number % 6


def is_whole(volume: Volume, stored: NDArray[Any] = STORED) -> bool:
    return np.array_equal(volume.voxels, stored) and np.allclose(volume.affine, AFFINE, atol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        uid("StudyInstanceUID"),
        uid("SeriesInstanceUID"),
        both(uid("StudyInstanceUID"), uid("SeriesInstanceUID"), uid("FrameOfReferenceUID")),
        value("SOPInstanceUID", lambda n: "1.2.3.9"),
        value("ImageType", lambda n: ["ORIGINAL", "PRIMARY", "M", *["ND"] * (n % 2)]),
        value("ImageType", lambda n: ["DERIVED" if n < 3 else "ORIGINAL", "PRIMARY"]),
        value("SeriesDescription", lambda n: f"FLAIR {n}"),
        value("SeriesDescription", lambda n: "t2 FLAIR tra" if n else ""),
        value("SeriesNumber", lambda n: n),
        value("AcquisitionNumber", lambda n: n),
        value("TemporalPositionIdentifier", lambda n: n),
        value("AcquisitionTime", lambda n: f"1200{n:02d}"),
        value("EchoTime", lambda n: 100.0 + 0.7 * n),
        value("EchoTime", lambda n: 100.0 if n % 2 else None),
        value("InversionTime", lambda n: 2500.0 + n),
        twelve_bits,
    ],
)
def test_slices_that_fit_one_stack_are_one_volume_whatever_they_are_called(
    tmp_path: Path, change: Change
) -> None:
    volume = read_dicom(write_series(tmp_path, series=Series(change=change)))
    assert is_whole(volume)
    assert len(volume.series) == 1
    assert codes(volume.notes) == []


def test_series_that_take_turns_are_one_volume(tmp_path: Path) -> None:
    odd = value("SeriesInstanceUID", lambda n: f"1.2.3.{n % 2 + 1}")
    volume = read_dicom(write_series(tmp_path, series=Series(change=odd)))
    assert is_whole(volume)
    assert len(volume.series) == 1


@pytest.mark.parametrize(
    "other",
    [
        value("PatientID", lambda n: "somebody else"),
        value("StudyDate", lambda n: "20200101"),
        value("FrameOfReferenceUID", lambda n: "1.2.3.6"),
        value("InversionTime", lambda n: 400.0),
    ],
)
def test_series_of_other_people_days_places_and_sequences_are_not_joined(
    tmp_path: Path, other: Change
) -> None:
    upper = both(other, value("SeriesInstanceUID", lambda n: "1.2.3.2"))

    def change(number: int, image: Dataset) -> None:
        if number >= 3:
            upper(number, image)

    volume = read_dicom(write_series(tmp_path, series=Series(change=change)))
    assert [each.slices for each in volume.series] == [3, 3]


@pytest.mark.parametrize("off", [0.3, 0.5])
def test_a_scan_repeated_a_little_aside_is_a_scan_of_its_own(tmp_path: Path, off: float) -> None:
    files = write_series(tmp_path)
    aside = both(
        value("SeriesInstanceUID", lambda n: "1.2.3.2"),
        value("AcquisitionTime", lambda n: "120000"),
        moved(lambda n: n + off),
    )
    later = write_series(tmp_path, STORED + np.uint16(1), series=Series(prefix="X", change=aside))
    volume = read_dicom(files + later)
    assert np.array_equal(volume.voxels, STORED + 1)
    assert [each.slices for each in volume.series] == [6, 6]
    assert "taken_again" in codes(volume.notes)


PARTED = [
    value("SeriesInstanceUID", lambda n: f"1.2.3.{n // 6 + 1}"),
    value("TemporalPositionIdentifier", lambda n: n // 6 + 1),
    value("AcquisitionNumber", lambda n: n // 6 + 1),
    value("EchoNumbers", lambda n: n // 6 + 1),
    value("EchoTime", lambda n: 100.0 + n // 6),
    value("TriggerTime", lambda n: 300.0 * (n // 6 + 1)),
    value("SeriesDescription", lambda n: ["a FLAIR", "b FLAIR"][n // 6]),
    value("AcquisitionTime", lambda n: ["120000", "120500"][n // 6]),
    value("AcquisitionTime", lambda n: f"12{n:02d}00"),
    value("InstanceNumber", lambda n: n + 1),
    value("InstanceNumber", lambda n: 2 * (n % 6) + n // 6 + 1),
]


@pytest.mark.parametrize("tells", PARTED)
def test_pictures_that_claim_one_place_are_parted_by_the_value_that_makes_whole_stacks(
    tmp_path: Path, tells: Change
) -> None:
    change = both(moved(again), value("InstanceNumber", lambda n: n % 6 + 1), tells)
    volume = read_dicom(write_series(tmp_path, TWICE, series=Series(change=change)))
    assert [each.slices for each in volume.series] == [6, 6]
    assert is_whole(volume) or is_whole(volume, STORED + np.uint16(1))
    assert "taken_again" in codes(volume.notes)


def test_without_such_a_value_nothing_is_guessed(tmp_path: Path) -> None:
    change = both(moved(again), value("InstanceNumber", lambda n: n % 6 + 1))
    files = write_series(tmp_path, TWICE, series=Series(change=change))
    assert "have the same position" in reason(files)


def test_a_slice_repeated_in_the_middle_never_makes_two_halves(tmp_path: Path) -> None:
    """Counted by InstanceNumber the pictures would be two stacks, each of them a part."""
    seven = np.concatenate([STORED[:, :, :4], STORED[:, :, 3:] + np.uint16(1)], axis=2)
    change = moved(lambda n: n if n < 4 else n - 1)
    files = write_series(tmp_path, seven, series=Series(change=change))
    assert "have the same position" in reason(files)


def test_a_repetition_that_was_broken_off_is_not_the_one(tmp_path: Path) -> None:
    change = both(moved(again), value("AcquisitionNumber", lambda n: n // 6 + 1))
    volume = read_dicom(write_series(tmp_path, TWICE[:, :, :9], series=Series(change=change)))
    assert is_whole(volume)
    assert [(each.slices, each.chosen) for each in volume.series] == [(6, True), (3, False)]


def test_phase_pictures_are_never_taken_for_a_repetition(tmp_path: Path) -> None:
    kinds = value("ImageType", lambda n: ["ORIGINAL", "PRIMARY", "PM"[n < 6]])
    later = value("AcquisitionTime", lambda n: ["120000", "120500"][n // 6])
    change = both(moved(again), kinds, later)
    assert is_whole(read_dicom(write_series(tmp_path, TWICE, series=Series(change=change))))


def copies(files: tuple[Path, ...], change: Change) -> tuple[Path, ...]:
    """The same pictures again, changed."""
    made = []
    for number, file in enumerate(files):
        image = pydicom.dcmread(file)
        change(number, image)
        made.append(file.with_name(f"again-{file.name}"))
        image.save_as(made[-1])
    return tuple(made)


NEW_NUMBERS = [
    uid("SOPInstanceUID"),
    both(uid("SOPInstanceUID"), value("SeriesInstanceUID", lambda n: "1.2.3.2")),
    both(uid("SOPInstanceUID"), value("StudyInstanceUID", lambda n: "1.2.3.2")),
    both(uid("SOPInstanceUID"), value("InstanceNumber", lambda n: n + 50)),
    both(uid("SOPInstanceUID"), value("AcquisitionNumber", lambda n: 7)),
]


@pytest.mark.parametrize("change", NEW_NUMBERS)
@pytest.mark.parametrize("which", [slice(2, 4), slice(0, 6)])
def test_pictures_sent_twice_under_new_numbers_count_once(
    tmp_path: Path, change: Change, which: slice
) -> None:
    files = write_series(tmp_path)
    sent = copies(files[which], change)
    volume = read_dicom(files + sent)
    assert is_whole(volume)
    assert codes(volume.notes) == ["came_twice"]
    assert str(len(sent)) in volume.notes[0].message
    assert len(volume.series) == 1


def test_slices_of_air_do_not_join_two_scans(tmp_path: Path) -> None:
    stored = TWICE.copy()
    stored[:, :, [0, 6]] = 0
    change = both(moved(again), value("AcquisitionNumber", lambda n: n // 6 + 1))
    volume = read_dicom(write_series(tmp_path, stored, series=Series(change=change)))
    assert [each.slices for each in volume.series] == [6, 6]
    assert np.array_equal(volume.voxels, stored[:, :, 6:])


def test_one_slice_beside_other_flair_slices_is_no_scan(tmp_path: Path) -> None:
    change = value("PixelSpacing", lambda n: texts([0.7 + 0.1 * n, 0.9]))
    volume = read_dicom(write_series(tmp_path, series=Series(change=change)))
    assert volume.unfit is not None
    assert volume.unfit.code == "too_few_slices"


@pytest.mark.parametrize(
    "name",
    ["37-study-uid-per-slice", "06-imagetype-varies", "02-dup-new-sop", "08-sag2d-and-axial-mpr"],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/data is not here")
def test_the_known_cases_are_the_whole_series(name: str) -> None:
    volume = read_dicom(tuple(sorted((CASES / name).iterdir())))
    assert volume.shape == (144, 144, 22)
    assert volume.unfit is None
