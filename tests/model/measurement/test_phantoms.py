"""Spheres, ellipsoids, pairs, a bridge over the midline, a cut one, a voxel: in many grids."""

import math

import numpy as np
import pytest

from model.measurement.findings import Lesion, Side, measure
from model.measurement.midplane import Midplane, midplane_of_grid
from model.volume import Affine, MaskArray
from tests.phantoms.heads import ORDERS, Point, Shape, Stored, ellipsoid, grid, sphere

Grid = tuple[Shape, Affine]

GRIDS: dict[str, Grid] = {
    "1 mm": ((84, 90, 70), grid((84, 90, 70), (1, 1, 1), (2, -3, 4))),
    "1 mm oblique": ((84, 90, 70), grid((84, 90, 70), (1, 1, 1), (2, -3, 4), (11, -8, 14))),
    "thick": ((94, 100, 13), grid((94, 100, 13), (0.9, 0.9, 5.5), (-3, 2, 1))),
    "fine, thick, oblique": (
        (160, 170, 13),
        grid((160, 170, 13), (0.5, 0.5, 6), (1, 2, 3), (9, -12, 7)),
    ),
    "sheared": (
        (84, 90, 24),
        grid((84, 90, 24), (1, 1, 3))
        @ np.array([[1, 0, 0.4, 0], [0, 1, -0.3, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
    ),
}
SAMPLED = ORDERS[::5]  # of all 48, with each axis in each place, and each place both ways
X_IS_0 = Midplane(np.zeros(3), np.array([1.0, 0, 0]))


def lesions(mask: MaskArray, affine: Affine) -> tuple[Lesion, ...]:
    return measure(mask, affine, X_IS_0).lesions


def voxel_ml(affine: Affine) -> float:
    return abs(float(np.linalg.det(affine[:3, :3]))) / 1000


def pixel_mm(affine: Affine) -> float:
    """Size of a pixel in the plane of acquisition, across its corners where it is sheared."""
    return float(sorted(np.linalg.norm(affine[:3, :3], axis=0))[1])


def section_of_sphere(shape: Shape, affine: Affine, centre: Point, radius: float) -> float:
    """Diameter of a sphere's largest circle on the slices that there are."""
    i, j, k = (affine[:3, axis] for axis in range(3))
    across = np.cross(i, j) / np.linalg.norm(np.cross(i, j))
    heights = (affine[:3, 3] - centre) @ across + np.arange(shape[2]) * float(k @ across)
    return 2 * math.sqrt(radius**2 - float(np.abs(heights).min()) ** 2)


def test_the_sample_of_orders_has_all_axes_and_directions() -> None:
    for place in range(3):
        assert {order.order[place] for order in SAMPLED} == {0, 1, 2}
        assert {order.flips[place] for order in SAMPLED} == {False, True}


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("order", SAMPLED, ids=lambda order: f"{order.order}{order.flips}")
def test_a_sphere(name: str, order: Stored) -> None:
    shape, affine = GRIDS[name]
    centre, radius = (12.3, -4.1, 3.4), 14.0
    mask = sphere(shape, affine, centre, radius)
    (lesion,) = lesions(*order.apply(mask, affine))
    assert lesion.volume_ml == pytest.approx(int(mask.sum()) * voxel_ml(affine), rel=1e-3)
    if max(np.linalg.norm(affine[:3, :3], axis=0)) <= 1:
        assert lesion.volume_ml == pytest.approx(4 / 3 * math.pi * radius**3 / 1000, rel=0.02)
    width = section_of_sphere(shape, affine, centre, radius)
    pixel = pixel_mm(affine)
    assert lesion.diameters.longest.length == pytest.approx(width, abs=pixel)
    assert lesion.diameters.perpendicular.length == pytest.approx(width, abs=pixel)
    thickest = float(np.linalg.norm(affine[:3, :3], axis=0).max())
    assert lesion.max_diameter_3d == pytest.approx(2 * radius, abs=thickest)
    assert lesion.side is Side.RIGHT
    assert lesion.place.across_midline_mm == pytest.approx(radius - centre[0], abs=thickest / 2)


@pytest.mark.parametrize("name", ["1 mm", "thick"])
@pytest.mark.parametrize("order", SAMPLED[::2], ids=lambda order: f"{order.order}{order.flips}")
def test_an_ellipsoid_along_the_grid(name: str, order: Stored) -> None:
    shape, affine = GRIDS[name]
    radii = (10.0, 21.0, 15.0)
    slices = affine[2, 3] + affine[2, 2] * np.arange(shape[2])
    centre = (-14.0, 3.0, float(slices[len(slices) // 2]))  # on a slice: its axes are seen whole
    mask = ellipsoid(shape, affine, centre, radii)
    (lesion,) = lesions(*order.apply(mask, affine))
    pixel = pixel_mm(affine)
    assert lesion.volume_ml == pytest.approx(int(mask.sum()) * voxel_ml(affine), rel=1e-3)
    assert lesion.diameters.longest.length == pytest.approx(42, abs=pixel)
    assert lesion.diameters.perpendicular.length == pytest.approx(20, abs=pixel)
    assert lesion.side is Side.LEFT


@pytest.mark.parametrize("name", GRIDS)
def test_two_lesions_one_on_each_side(name: str) -> None:
    shape, affine = GRIDS[name]
    small, large = sphere(shape, affine, (-20, 8, 2), 8), sphere(shape, affine, (16, -9, -2), 12)
    for order in SAMPLED[::3]:
        first, second = lesions(*order.apply(small | large, affine))
        assert (first.side, second.side) == (Side.RIGHT, Side.LEFT)
        assert first.voxels == int(large.sum())
        assert second.voxels == int(small.sum())
        assert (first.place.crosses_midline, second.place.crosses_midline) == (False, False)


@pytest.mark.parametrize("name", GRIDS)
def test_one_that_lies_across_the_midline(name: str) -> None:
    shape, affine = GRIDS[name]
    thickest = float(np.linalg.norm(affine[:3, :3], axis=0).max())
    for order in SAMPLED[::3]:
        (lesion,) = lesions(*order.apply(sphere(shape, affine, (2, 0, 0), 15), affine))
        assert lesion.side is Side.MIDLINE
        assert lesion.place.crosses_midline
        assert lesion.place.across_midline_mm == pytest.approx(13, abs=thickest / 2)


@pytest.mark.parametrize("name", GRIDS)
def test_one_that_is_cut_by_the_border(name: str) -> None:
    shape, affine = GRIDS[name]
    corner = affine[:3, 3]
    mask = sphere(shape, affine, (float(corner[0]), float(corner[1]), float(corner[2])), 13)
    for order in SAMPLED[::3]:
        (lesion,) = lesions(*order.apply(mask, affine))
        assert lesion.voxels == int(mask.sum())
        assert lesion.side is Side.LEFT
        assert 13 <= lesion.diameters.longest.length < 13 * math.sqrt(2) + 2 * pixel_mm(affine)


@pytest.mark.parametrize("name", GRIDS)
def test_a_single_voxel(name: str) -> None:
    shape, affine = GRIDS[name]
    mask = np.zeros(shape, np.uint8)
    mask[5, 8, 4] = 1
    for order in SAMPLED[::3]:
        (lesion,) = lesions(*order.apply(mask, affine))
        assert lesion.volume_ml == pytest.approx(voxel_ml(affine))
        assert lesion.diameters.longest.length == pytest.approx(pixel_mm(affine))
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
        assert lesion.max_diameter_3d == pytest.approx(float(sizes.max()), rel=0.15)


def test_without_a_scan_x_0_is_the_middle() -> None:
    shape, affine = GRIDS["1 mm"]
    mask = sphere(shape, affine, (-12, 0, 0), 9)
    (lesion,) = measure(mask, affine, midplane_of_grid(shape, affine)).lesions
    assert (lesion.side, lesion.place.crosses_midline) == (Side.LEFT, False)
    assert (lesion.place.to_front, lesion.place.to_top) == (None, None)
