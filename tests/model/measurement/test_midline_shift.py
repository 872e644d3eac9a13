"""The midline shift: real heads pushed by known distances, and what cannot be told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.measurement.location import Side
from model.measurement.midline_shift import MidlineShift, midline_shift
from model.measurement.midplane import midplane_of_head
from model.reading.nifti import read_nifti
from model.volume import Volume
from tests.conftest import FRONTAL
from tests.phantoms.heads import ORDERS, head
from tools.experiments.shifted_heads import pushed, shift_of
from training.datasets import find_cases


@pytest.fixture(scope="module")
def scan() -> Volume:
    return read_nifti(FRONTAL)


def shift(volume: Volume) -> MidlineShift | None:
    return midline_shift(volume, np.zeros(volume.shape, np.uint8), midplane_of_head(volume))


@pytest.mark.parametrize("push", [-6, 10])
def test_a_head_that_is_pushed_tells_how_far(scan: Volume, push: float) -> None:
    plane = midplane_of_head(scan)
    assert plane is not None
    found = shift(pushed(scan, plane, push))
    assert found is not None
    assert found.mm == pytest.approx(push, abs=2)
    assert found.to is (Side.RIGHT if push > 0 else Side.LEFT)


def test_a_head_that_nothing_pushes_is_not_shifted(scan: Volume) -> None:
    found = shift(scan)
    assert found is not None
    assert found.mm == pytest.approx(0, abs=2)
    assert found.to is None


def test_the_order_of_storage_does_not_count(scan: Volume) -> None:
    voxels, affine = ORDERS[29].apply(scan.voxels, scan.affine)
    assert shift(replace(scan, voxels=voxels, affine=affine)) == shift(scan)


def test_real_tumors_push_the_midline_away(shared_data: Path) -> None:
    cases = find_cases(shared_data / "external")
    towards = {}
    for name in ("brats2013_pat0001", "brats2013_pat0004"):  # on the right, on the left
        mask = (read_nifti(cases[name].mask).voxels > 0).astype(np.uint8)
        towards[name] = shift_of(read_nifti(cases[name].flair), mask)
    right, left = towards.values()
    assert right is not None
    assert left is not None
    assert -13 < right < -8  # mm, as the septum lies in the pictures
    assert 8 < left < 13


def test_what_shows_no_midline_tells_no_shift(scan: Volume) -> None:
    noise = np.random.default_rng(3).normal(100, 30, scan.shape).astype(np.float32)
    shell = np.where(scan.voxels > 0, noise, 0).astype(np.float32)
    for volume in (head().volume(), replace(scan, voxels=shell)):
        found = shift(volume)
        assert found is not None
        assert (found.mm, found.to) == (None, None)
    assert shift(replace(scan, sides_known=False)) is None
    assert shift(replace(scan, voxels=scan.voxels[:, :, :3])) is None


def test_a_tumor_over_the_whole_middle_tells_no_shift(scan: Volume) -> None:
    mask = np.zeros(scan.shape, np.uint8)
    mask[60:190] = 1
    found = midline_shift(scan, mask, midplane_of_head(scan))
    assert found is not None
    assert found.mm is None
