"""Where DICOM volumes lie: against an independent converter, and stacks that are not even."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import Dataset

from model.errors import UnreadableScan
from model.reading.dicom.study import read_dicom
from model.volume import Volume
from tests.conftest import SHARED
from tests.model.reading.dicom.test_enhanced import write_enhanced
from tests.phantoms.dicom_series import AFFINE, STORED, Change, Series, reason, write_series
from tests.phantoms.heads import codes, grid
from tools.experiments.dicom_grids import converted, nearest

DICOM = SHARED / "dicom"
TALL = np.random.default_rng(2).integers(0, 999, (14, 10, 30)).astype(np.uint16)


def shifted(by: dict[int, tuple[float, float, float]]) -> Change:
    """Slices moved by so many mm (LPS) from their even places."""

    def change(number: int, image: Dataset) -> None:
        corner = np.array(image.ImagePositionPatient, float) + by.get(number, (0, 0, 0))
        image.ImagePositionPatient = [f"{value:.9g}" for value in corner]

    return change


def check_against_dcm2niix(volume: Volume, folder: Path, target: Path) -> None:
    found = nearest(volume, converted(folder, target))
    assert found, "dcm2niix made no volume of this size"
    best, difference = found
    assert difference < 0.001
    ours = nib.as_closest_canonical(nib.Nifti1Image(volume.voxels, volume.affine))
    mine, others = np.asarray(ours.dataobj), np.asarray(best.dataobj, np.float32)
    scale = others.sum() / mine.sum()  # Philips has a second, private slope
    assert np.allclose(mine * scale, others, rtol=1e-4)


@pytest.mark.parametrize("degrees", [(0, 0, 0), (20, -30, 10), (88, 3, -2), (5, 89, 4)])
def test_our_grid_is_that_of_dcm2niix(tmp_path: Path, degrees: tuple[float, float, float]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    affine = grid((14, 10, 6), (0.9, 0.7, 5.0), (4, -8, 15), degrees)
    volume = read_dicom(write_series(folder, affine=affine))
    check_against_dcm2niix(volume, folder, tmp_path / "out")


def test_an_enhanced_file_has_the_grid_of_dcm2niix(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    volume = read_dicom(write_enhanced(folder / "one", order=[3, 0, 5, 1, 4, 2]))
    check_against_dcm2niix(volume, folder, tmp_path / "out")


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.skipif(not DICOM.is_dir(), reason="../shared/data is not here")
def test_every_real_series_has_the_grid_of_dcm2niix(tmp_path: Path) -> None:
    compared = []
    for folder in sorted(path for path in DICOM.iterdir() if path.is_dir()):
        try:
            volume = read_dicom(tuple(sorted(folder.iterdir())))
        except UnreadableScan:
            continue
        in_colour = any("colour" in each.reason for each in volume.series)
        if not in_colour and len(volume.series) == 1:
            check_against_dcm2niix(volume, folder, tmp_path / folder.name)
            compared.append(folder.name)
    assert len(compared) >= 19
    assert "brainix_flair" in compared


def test_a_sheared_stack_keeps_its_shear(tmp_path: Path) -> None:
    lean = {number: (0.4 * number, -0.2 * number, 0.0) for number in range(6)}
    volume = read_dicom(write_series(tmp_path, series=Series(change=shifted(lean))))
    moved = volume.affine[:3, 2] - AFFINE[:3, 2]
    assert moved == pytest.approx((-0.4, 0.2, 0.0), abs=1e-5)
    assert volume.affine[:, [0, 1, 3]] == pytest.approx(AFFINE[:, [0, 1, 3]], abs=1e-5)


def test_slices_a_little_off_their_places_are_taken_and_told(tmp_path: Path) -> None:
    normal = -AFFINE[:3, 2] / np.linalg.norm(AFFINE[:3, 2]) * (1, 1, -1)
    little = {7: tuple(0.6 * normal)}
    volume = read_dicom(write_series(tmp_path, TALL, series=Series(change=shifted(little))))
    assert codes(volume.notes) == ["uneven_spacing"]
    assert "0.6 mm" in volume.notes[0].message
    assert volume.affine == pytest.approx(AFFINE, abs=1e-4)


@pytest.mark.parametrize("aside", [(9.0, 0.0, 0.0), (0.0, -9.0, 0.0)])
def test_a_slice_that_lies_aside_is_refused(
    tmp_path: Path, aside: tuple[float, float, float]
) -> None:
    series = Series(change=shifted({4: aside}))
    assert reason(write_series(tmp_path, TALL, series=series))


def test_repetitions_are_told_apart_and_the_last_is_taken(tmp_path: Path) -> None:
    def repeat(number: int, image: Dataset) -> None:
        image.AcquisitionNumber = number // 6 + 1
        if number >= 6:
            step = np.array([-1, -1, 1]) * AFFINE[:3, 2] * 6
            corner = np.array(image.ImagePositionPatient, float) - step
            image.ImagePositionPatient = [f"{value:.9g}" for value in corner]

    twice = np.concatenate([STORED, STORED + np.uint16(1)], axis=2)
    volume = read_dicom(write_series(tmp_path, twice, series=Series(change=repeat)))
    assert np.array_equal(volume.voxels, STORED + 1)
    assert [(each.slices, each.chosen) for each in volume.series] == [(6, False), (6, True)]
    assert codes(volume.notes) == ["series_chosen", "taken_again"]


def test_directions_that_differ_in_the_last_digits_are_one_stack(tmp_path: Path) -> None:
    def jitter(number: int, image: Dataset) -> None:
        tilt = 0.004999 if number % 2 else 0.005001
        image.ImageOrientationPatient = [
            "1",
            "0",
            "0",
            "0",
            f"{np.sqrt(1 - tilt**2):.9f}",
            f"{tilt}",
        ]
        image.EchoTime = "120" if number % 2 else "120.0"

    affine = np.diag([-0.9, -0.7, 5.0, 1.0])
    volume = read_dicom(write_series(tmp_path, TALL, affine, Series(change=jitter)))
    assert volume.shape == TALL.shape
    assert len(volume.series) == 1
