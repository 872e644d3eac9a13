"""What is measured by hand, on a phantom of known lengths, angles and grey values."""

import numpy as np
import pytest

from model.drawn_shapes import Drawn, Figures, Place, Shape
from model.measurement.hand_measurements import ShapeError, measure_shape, scaled

SHAPE = (40, 60, 12)
SPACING = (0.5, 2.0, 5.0)
ROW, COLUMN, _ = np.indices(SHAPE)
TURN = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
AFFINE = np.eye(4)
AFFINE[:3, :3] = TURN * SPACING
AFFINE[:3, 3] = -7.0, 11.0, 100.0
VOXELS = (100 + 2 * ROW + 0.5 * COLUMN).astype(np.float32)  # mean known wherever it is even


def measured(shape: Shape, *points: Place, axis: int = 2, **how: bool) -> Figures:
    return measure_shape(VOXELS, AFFINE, axis, Drawn(shape, points), **how)


@pytest.mark.parametrize(
    ("one", "other", "mm"),
    [
        ((2, 5, 4), (32, 5, 4), 15.0),
        ((2, 5, 4), (2, 20.5, 4), 31.0),
        ((2, 5, 4), (8, 7, 4), 5.0),
        ((-0.5, -0.5, 4), (39.5, 59.5, 4), np.hypot(20, 120)),
    ],
)
def test_a_length_is_in_real_millimetres(one: Place, other: Place, mm: float) -> None:
    assert measured(Shape.LENGTH, one, other).length_mm == pytest.approx(mm)


@pytest.mark.parametrize(
    ("legs", "degrees"),
    [
        (((10, 5), (4, 5), (4, 9)), 90.0),
        (((8, 5), (4, 5), (8, 6)), 45.0),
        (((8, 5), (4, 5), (0, 5)), 180.0),
        (((8, 5), (4, 5), (8, 5)), 0.0),
    ],
)
def test_an_angle_is_that_of_the_patient_not_of_the_pixels(
    legs: tuple[tuple[float, float], ...], degrees: float
) -> None:
    points = [(i, j, 3.0) for i, j in legs]
    assert measured(Shape.ANGLE, *points).angle_degrees == pytest.approx(degrees, abs=1e-4)


def test_an_ellipse_tells_area_and_the_grey_values_of_its_voxels() -> None:
    corners: tuple[Place, Place] = ((10, 20, 6), (22, 40, 6))
    found = measured(Shape.ELLIPSE, *corners)
    inside = ((ROW - 16) / 6) ** 2 + ((COLUMN - 30) / 10) ** 2 <= 1
    values = VOXELS[..., 6][inside[..., 6]]
    assert found.voxels == values.size > 150
    assert found.mean == pytest.approx(100 + 2 * 16 + 0.5 * 30)
    assert found.sd == pytest.approx(values.std(dtype=float))
    assert found.area_mm2 == pytest.approx(np.pi * 6 * 0.5 * 10 * 2)
    assert found == measured(Shape.ELLIPSE, corners[1], corners[0])
    assert (found.value, found.length_mm, found.place) == (None, None, None)


def test_a_probe_tells_the_voxel_and_its_place() -> None:
    found = measured(Shape.PROBE, (10.4, 19.6, 6))
    assert found.value == pytest.approx(100 + 2 * 10 + 0.5 * 20)
    assert found.place == pytest.approx((AFFINE @ (10, 20, 6, 1))[:3])
    assert measured(Shape.PROBE, (10, 20, 6), sides_known=False).place is None


def test_slices_may_lie_along_any_axis_of_the_file() -> None:
    points: tuple[Place, Place] = ((7, 10, 2), (7, 13, 10))
    assert measured(Shape.LENGTH, *points, axis=0).length_mm == pytest.approx(np.hypot(6, 40))
    found = measured(Shape.ELLIPSE, *points, axis=0)
    assert found.area_mm2 == pytest.approx(np.pi * 3 * 20)


def test_without_a_scale_there_are_grey_values_and_no_millimetres() -> None:
    drawn = Drawn(Shape.ELLIPSE, ((10, 20, 6), (22, 40, 6)))
    found = measure_shape(VOXELS, None, 2, drawn)
    assert found.area_mm2 is None
    assert found.mean is not None
    line = Drawn(Shape.LENGTH, ((1, 1, 1), (5, 5, 1)))
    with pytest.raises(ShapeError, match="no scale"):
        measure_shape(VOXELS, None, 2, line)


def test_an_entered_spacing_counts() -> None:
    affine = scaled(AFFINE, (1.0, 1.0, 3.0))
    assert affine is not None
    line = Drawn(Shape.LENGTH, ((1, 1, 1), (4, 5, 1)))
    assert measure_shape(VOXELS, affine, 2, line).length_mm == pytest.approx(5.0)
    assert scaled(AFFINE, SPACING) is AFFINE
    assert scaled(AFFINE, None) is None


@pytest.mark.parametrize(
    ("shape", "points", "words"),
    [
        (Shape.LENGTH, ((1, 1, 1), (1, 1, 1)), "too small"),
        (Shape.LENGTH, ((1, 1, 1), (5, 1, 2)), "several slices"),
        (Shape.LENGTH, ((1, 1, 1), (41, 1, 1)), "within the scan"),
        (Shape.LENGTH, ((1, 1, 1),), "no shape"),
        (Shape.PROBE, ((float("nan"), 1, 1),), "no shape"),
        (Shape.ELLIPSE, ((1, 1, 1), (9, 1, 1)), "too small"),
        (Shape.ELLIPSE, ((1.2, 1.2, 1), (1.4, 1.4, 1)), "No voxel"),
    ],
)
def test_what_measures_nothing_is_refused(
    shape: Shape, points: tuple[Place, ...], words: str
) -> None:
    with pytest.raises(ShapeError, match=words):
        measured(shape, *points)
