"""The lobes: landmarks where they belong, and heads found in whatever way they lie."""

from dataclasses import replace

import numpy as np
import pytest

from model.measurement.lobes import ATLAS, LEAST_SCORE, LOBES, load_atlas, lobes_of
from model.reading.nifti import read_nifti
from model.registration.head_atlas import HeadFit, fit_head
from model.volume import Scale, Volume
from tests.conftest import FRONTAL
from tests.phantoms.heads import ORDERS, grid
from tools.atlas_makers.lobe_atlas import lobe_at

PLACES = {  # MNI mm, well inside
    "frontal": [(38, -12, 58), (6, 40, -18), (48, 25, 14), (8, 0, 65), (25, 55, 10)],
    "parietal": [(45, -35, 55), (6, -60, 45), (48, -58, 38), (20, -65, 58)],
    "temporal": [(26, -20, -16), (40, 12, -30), (60, -25, -8), (50, -45, -10)],
    "occipital": [(6, -85, 20), (30, -88, 5), (10, -75, 0)],
    "deep": [(10, -18, 8), (26, 3, 3), (38, 3, 0)],
    "posterior fossa": [(20, -65, -40), (0, -28, -30), (35, -60, -38)],
}
TUMOR_RAS = (42.0, 45.0, 35.0)  # of the sample; any place in its right frontal lobe


@pytest.fixture(scope="module")
def scan() -> Volume:
    return read_nifti(FRONTAL)


@pytest.fixture(scope="module")
def fit(scan: Volume) -> HeadFit:
    return fitted(scan)


def fitted(volume: Volume) -> HeadFit:
    found = fit_head(volume, np.zeros(volume.shape, np.uint8), load_atlas()[0])
    assert found is not None
    return found


@pytest.mark.parametrize("lobe", PLACES)
def test_landmarks_lie_in_their_lobes_on_either_side(lobe: str) -> None:
    right = np.array(PLACES[lobe], float)
    for places in (right, right * (-1, 1, 1)):
        drawn = lobe_at(places)
        assert [LOBES[number] for number in drawn] == [lobe] * len(places)
        assert np.array_equal(load_atlas()[1].at(places), drawn)  # the shipped file is of this


def test_the_atlas_is_small() -> None:
    assert ATLAS.stat().st_size < 500_000


def test_the_middle_of_the_head_is_found(scan: Volume, fit: HeadFit) -> None:
    assert fit.score > LEAST_SCORE
    size = np.linalg.norm(fit.matrix[:3, :3], axis=0)
    assert (size > 0.8).all()
    assert (size < 1.1).all()


@pytest.mark.parametrize("degrees", [(0, 0, 15), (8, 0, -10)])
def test_a_turned_head_keeps_its_lobes(
    scan: Volume, fit: HeadFit, degrees: tuple[float, float, float]
) -> None:
    turn = grid((1, 1, 1), (1.0, 1.0, 1.0), (30.0, -20.0, 10.0), degrees)
    turned = fitted(replace(scan, affine=turn @ scan.affine))
    places = np.array([TUMOR_RAS, (-30, -20, 20), (0, -60, 30)], float)
    moved = places @ turn[:3, :3].T + turn[:3, 3]
    before, after = fit.to_template(places), turned.to_template(moved)
    assert np.abs(before - after).max() < 8  # mm


def test_the_order_of_storage_does_not_count(scan: Volume, fit: HeadFit) -> None:
    voxels, affine = ORDERS[37].apply(scan.voxels, scan.affine)
    other = fitted(replace(scan, voxels=voxels, affine=affine))
    places = np.array([TUMOR_RAS, (-30, -20, 20)], float)
    assert np.abs(other.to_template(places) - fit.to_template(places)).max() < 8


def test_a_head_upside_down_and_noise_are_not_believed(scan: Volume) -> None:
    mask = np.zeros(scan.shape, np.uint8)
    mask[100:110, 150:160, 12] = 1
    upside_down = replace(scan, voxels=np.ascontiguousarray(scan.voxels[:, :, ::-1]))
    noise = np.random.default_rng(1).normal(100, 30, scan.shape).astype(np.float32)
    for volume in (upside_down, replace(scan, voxels=noise)):
        found = lobes_of(volume, mask)
        assert found is not None
        assert found.score < LEAST_SCORE
        assert found.shares == (None,)


def test_without_scale_sides_or_slices_there_are_no_lobes(scan: Volume) -> None:
    mask = np.zeros(scan.shape, np.uint8)
    mask[100, 150, 12] = 1
    few = replace(scan, voxels=scan.voxels[:, :, 10:13])
    assert lobes_of(replace(scan, scale=Scale.UNKNOWN), mask) is None
    assert lobes_of(replace(scan, sides_known=False), mask) is None
    assert lobes_of(few, mask[:, :, 10:13]) is None
    assert lobes_of(scan, np.zeros_like(mask)) is None
