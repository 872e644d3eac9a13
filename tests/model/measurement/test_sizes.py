"""Volume and diameters of phantoms whose size is known, in grids of every make."""

import math

import numpy as np
import pytest

from model.measurement.findings import Finding, Findings, Side, measure
from model.volume import Affine
from tests.phantoms.heads import Point, Shape, ellipsoid, grid, sphere

SHAPE: Shape = (60, 66, 48)
GRIDS: dict[str, Affine] = {
    "plain": grid(SHAPE, (1, 1, 1)),
    "anisotropic": grid(SHAPE, (0.8, 0.9, 3.0)),
    "oblique": grid(SHAPE, (0.9, 1.1, 2.5), (12, -30, 8), (17, -11, 24)),
    "flipped": grid(SHAPE, (1, 1, 1.5), (5, 5, 5)) @ np.diag([-1.0, -1.0, 1.0, 1.0]),
    "steep": grid(SHAPE, (1.2, 0.7, 1.9), (0, 0, 0), (44, 31, -52)),
}


def centre_of(affine: Affine) -> Point:
    x, y, z = affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2 + (0.3, -0.2, 0.1)) + affine[:3, 3]
    return float(x), float(y), float(z)


def column_lengths(affine: Affine) -> list[float]:
    return [math.dist((0, 0, 0), affine[:3, axis]) for axis in range(3)]


def only(findings: Findings) -> float:
    assert len(findings.lesions) == 1
    return findings.volume_ml


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("radii", [(14, 14, 14), (19, 9, 13)])
def test_the_volume_is_the_phantoms_own_voxel_sum(name: str, radii: Point) -> None:
    affine = GRIDS[name]
    mask = ellipsoid(SHAPE, affine, centre_of(affine), radii)
    expected = int(mask.sum()) * math.prod(column_lengths(affine)) / 1000
    assert only(measure(mask, affine, None)) == pytest.approx(expected, rel=1e-3)
    assert measure(mask, affine, None).voxels == int(mask.sum())


@pytest.mark.parametrize("name", GRIDS)
def test_the_centroid_is_the_phantoms_centre(name: str) -> None:
    affine = GRIDS[name]
    centre = centre_of(affine)
    found = measure(sphere(SHAPE, affine, centre, 14), affine, None).lesions[0].centroid
    assert math.dist(found, centre) < 0.5


@pytest.mark.parametrize("radius", [10.0, 14.5, 20.0])
def test_a_sphere_at_one_millimetre_has_a_spheres_volume(radius: float) -> None:
    affine = GRIDS["plain"]
    mask = sphere(SHAPE, affine, (0.4, 0.1, -0.3), radius)
    expected = 4 / 3 * math.pi * radius**3 / 1000
    assert only(measure(mask, affine, None)) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("radius", [6.0, 13.0])
def test_both_diameters_of_a_sphere_are_within_a_voxel(name: str, radius: float) -> None:
    affine = GRIDS[name]
    lesion = measure(sphere(SHAPE, affine, centre_of(affine), radius), affine, None).lesions[0]
    voxel = max(sorted(column_lengths(affine))[:2])
    assert lesion.diameters.longest.length == pytest.approx(2 * radius, abs=voxel)
    assert lesion.diameters.perpendicular.length == pytest.approx(2 * radius, abs=voxel)


def test_an_ellipsoids_diameters_are_its_in_plane_axes() -> None:
    affine = grid(SHAPE, (0.8, 0.8, 3.0))
    lesion = measure(ellipsoid(SHAPE, affine, (0, 0, 0), (18, 8, 12)), affine, None).lesions[0]
    assert lesion.diameters.longest.length == pytest.approx(36, abs=0.8)
    assert lesion.diameters.perpendicular.length == pytest.approx(16, abs=0.8)


def test_the_diameters_ends_lie_on_the_lesion_at_right_angles() -> None:
    affine = GRIDS["oblique"]
    centre = centre_of(affine)
    lesion = measure(ellipsoid(SHAPE, affine, centre, (19, 9, 13)), affine, None).lesions[0]
    lines = [lesion.diameters.longest, lesion.diameters.perpendicular]
    directions = [np.subtract(line.end, line.start) for line in lines]
    assert abs(float(np.dot(*directions))) < 1e-6
    for line, direction in zip(lines, directions, strict=True):
        assert np.linalg.norm(direction) == pytest.approx(line.length)
        for end in (line.start, line.end):
            away = (np.subtract(end, centre) / (19, 9, 13)) ** 2
            assert 0.4 < away.sum() < 1.4


def test_a_sheared_grid_keeps_its_true_volume() -> None:
    affine = grid(SHAPE, (1, 1, 2))
    affine[0, 2], affine[1, 2] = 0.7, -0.4
    mask = sphere(SHAPE, affine, centre_of(affine), 15)
    assert only(measure(mask, affine, None)) == pytest.approx(int(mask.sum()) * 2 / 1000)
    assert only(measure(mask, affine, None)) == pytest.approx(
        4 / 3 * math.pi * 15**3 / 1000, rel=0.02
    )


def test_a_two_ml_tumor_measures_two_ml() -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:20, 10:20, 10:20] = 1
    assert only(measure(mask, grid(SHAPE, (1, 1, 2)), None)) == pytest.approx(2.0)


def test_two_lesions_are_numbered_by_size() -> None:
    affine = GRIDS["plain"]
    mask = sphere(SHAPE, affine, (-15, 0, 0), 5) | sphere(SHAPE, affine, (15, 5, 0), 9)
    first, second = measure(mask, affine, None).lesions
    assert (first.number, second.number) == (1, 2)
    assert first.voxels > second.voxels
    assert (first.centroid[0] > 0, second.centroid[0] > 0) == (True, False)


def test_lesions_that_touch_at_a_corner_are_one() -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[3, 3, 3] = mask[4, 4, 4] = 1
    assert len(measure(mask, GRIDS["plain"], None).lesions) == 1


def test_a_lesion_cut_by_the_border_measures_its_voxels() -> None:
    affine = GRIDS["oblique"]
    corner = (affine[0, 3], affine[1, 3], affine[2, 3])
    mask = sphere(SHAPE, affine, corner, 9)
    lesion = measure(mask, affine, None).lesions[0]
    assert lesion.volume_ml == pytest.approx(int(mask.sum()) * 0.9 * 1.1 * 2.5 / 1000)
    assert lesion.largest_slice == 0
    assert 9 <= lesion.diameters.longest.length < 18


def test_a_single_voxel_measures_one_voxel() -> None:
    affine = grid(SHAPE, (0.5, 0.5, 4))
    mask = np.zeros(SHAPE, np.uint8)
    mask[7, 8, 9] = 1
    lesion = measure(mask, affine, None).lesions[0]
    assert lesion.volume_ml == pytest.approx(0.001)
    assert lesion.diameters.longest.length == pytest.approx(0.5)
    assert lesion.diameters.perpendicular.length == pytest.approx(0.5)
    assert lesion.centroid == pytest.approx(tuple(affine[:3, :3] @ (7, 8, 9) + affine[:3, 3]))
    assert (lesion.largest_slice, lesion.diameters.slice_index) == (9, 9)


def test_an_empty_mask_is_no_tumor() -> None:
    findings = measure(np.zeros(SHAPE, np.uint8), GRIDS["plain"], None)
    assert (findings.finding, findings.lesions) == (Finding.NO_TUMOR, ())
    assert (findings.volume_ml, findings.voxels) == (0, 0)


def test_a_full_mask_is_one_lesion() -> None:
    findings = measure(np.ones((5, 6, 7), np.uint8), grid((5, 6, 7), (1, 1, 1)), None)
    assert only(findings) == pytest.approx(0.21)
    assert findings.lesions[0].side is Side.UNKNOWN


def test_the_probability_is_the_mean_over_the_lesion_alone() -> None:
    affine = GRIDS["plain"]
    mask = sphere(SHAPE, affine, (0, 0, 0), 8)
    probability = np.where(mask, np.float32(0.8), np.float32(0.1))
    lesion = measure(mask, affine, None, probability).lesions[0]
    assert lesion.mean_probability == pytest.approx(0.8)
