"""Masks that somebody else made: which are taken, and where their sides come from."""

from pathlib import Path

import numpy as np
import pytest

from model.errors import MaskError
from model.measurement.findings import Side
from model.measurement.given_masks import measure_mask
from model.measurement.midplane import midplane_of_grid
from model.reading.nifti import read_nifti
from tests.phantoms.heads import ORDERS, Shape, codes, grid, head, sphere, write_nifti

SHAPE: Shape = (30, 34, 22)
CENTRED = grid(SHAPE, (2, 2, 3))


@pytest.mark.parametrize(
    ("middle", "known"), [(0, True), (5, True), (-5, True), (7, False), (-7, False), (90, False)]
)
def test_x_0_counts_only_in_the_middle_fifth_of_the_grid(middle: float, known: bool) -> None:
    affine = grid(SHAPE, (2, 2, 3), (middle, 0, 0))  # 60 mm wide: the middle fifth is 12 mm
    for order in ORDERS:
        turned, turned_affine = order.apply(np.zeros(SHAPE, np.uint8), affine)
        shape = (turned.shape[0], turned.shape[1], turned.shape[2])
        assert (midplane_of_grid(shape, turned_affine) is not None) is known


def test_a_mask_alone_takes_its_side_from_x_0(tmp_path: Path) -> None:
    mask = sphere(SHAPE, CENTRED, (15, 0, 0), 8)
    measured = measure_mask(write_nifti(tmp_path / "mask.nii.gz", mask, CENTRED))
    assert measured.findings.lesions[0].side is Side.RIGHT
    assert measured.findings.volume_ml == pytest.approx(int(mask.sum()) * 0.012)


def test_a_mask_off_centre_has_an_unknown_side(tmp_path: Path) -> None:
    affine = grid(SHAPE, (2, 2, 3), (80, 0, 0))
    file = write_nifti(tmp_path / "mask.nii.gz", sphere(SHAPE, affine, (90, 0, 0), 8), affine)
    assert measure_mask(file).findings.lesions[0].side is Side.UNKNOWN


def test_with_the_scan_the_side_comes_from_its_head(tmp_path: Path) -> None:
    phantom = head(lesion=(-35, 10, 5), centre=(150, 0, 0))
    scan = read_nifti(write_nifti(tmp_path / "scan.nii.gz", phantom.voxels, phantom.affine))
    mask = write_nifti(tmp_path / "mask.nii.gz", phantom.lesion, phantom.affine)
    assert measure_mask(mask, scan).findings.lesions[0].side is Side.LEFT
    assert measure_mask(mask).findings.lesions[0].side is Side.UNKNOWN


def test_any_label_above_0_is_tumor(tmp_path: Path) -> None:
    labels = np.zeros(SHAPE, np.int16)
    labels[3:6, 3:6, 3:6] = 1
    labels[6:8, 3:6, 3:6] = 4
    measured = measure_mask(write_nifti(tmp_path / "mask.nii", labels, CENTRED))
    assert [lesion.voxels for lesion in measured.findings.lesions] == [45]


@pytest.mark.parametrize("value", [0.5, -1.0])
def test_values_that_are_no_labels_are_refused(tmp_path: Path, value: float) -> None:
    voxels = np.zeros(SHAPE, np.float32)
    voxels[3, 3, 3], voxels[4, 4, 4] = 1, value
    with pytest.raises(MaskError, match=r"not a mask.*\.$"):
        measure_mask(write_nifti(tmp_path / "mask.nii", voxels, CENTRED))


def test_a_grey_picture_is_no_mask(tmp_path: Path) -> None:
    phantom = head(lesion=(-35, 10, 5))
    grey = np.clip(phantom.voxels / phantom.voxels.max() * 255, 0, 255).round().astype(np.uint8)
    file = write_nifti(tmp_path / "grey.nii", grey, phantom.affine)
    with pytest.raises(MaskError, match=r"not a mask but a grey picture: it holds \d+ different"):
        measure_mask(file)
    with pytest.raises(MaskError, match="grey picture"):
        measure_mask(file, phantom.volume())
    full = write_nifti(tmp_path / "full.nii", np.ones(SHAPE, np.uint8), CENTRED)
    with pytest.raises(MaskError, match="every voxel is marked"):
        measure_mask(full)


def test_a_scan_on_another_grid_is_refused(tmp_path: Path) -> None:
    mask = write_nifti(tmp_path / "mask.nii", sphere(SHAPE, CENTRED, (0, 0, 0), 8), CENTRED)
    scan = head()
    with pytest.raises(MaskError, match=r"different grids\.$"):
        measure_mask(mask, scan.volume())
    shifted = head(shape=SHAPE, spacing=(2, 2, 3), centre=(1, 0, 0))
    with pytest.raises(MaskError, match=r"different grids\.$"):
        measure_mask(mask, shifted.volume())


def test_a_mask_without_orientation_says_so(tmp_path: Path) -> None:
    mask = sphere(SHAPE, CENTRED, (0, 0, 0), 8)
    measured = measure_mask(write_nifti(tmp_path / "mask.nii", mask, None))
    assert measured.findings.lesions[0].side is Side.UNKNOWN
    assert "orientation_unknown" in codes(measured.findings.notes)
