"""Lengths, angles, ellipses and single values that a person draws, on the acquired voxels."""

import numpy as np
from numpy.typing import NDArray

from model.catalogue import text
from model.drawn_shapes import POINTS, Drawn, Figures, Place, Shape
from model.errors import GliowatchError
from model.volume import Affine, FloatArray, column_lengths

FloatPoints = NDArray[np.float64]
SHORTEST = 1e-3  # voxels: what is shorter was no drag
RESCALED = 1e-3  # share by which a spacing that differs from the file's is another one


class ShapeError(GliowatchError):
    """A shape that measures nothing; the sentence says why."""


def scaled(affine: Affine, spacing: tuple[float, float, float] | None) -> Affine | None:
    """The affine with the spacing (mm along i, j, k) that a report tells; None for one without."""
    if spacing is None:
        return None
    own = np.array(column_lengths(affine))
    if np.allclose(own, spacing, rtol=RESCALED):
        return affine
    changed = affine.copy()
    changed[:3, :3] *= np.array(spacing) / own
    return changed


def measure_shape(
    voxels: FloatArray, affine: Affine | None, axis: int, drawn: Drawn, sides_known: bool = True
) -> Figures:
    """Measure a shape. voxels: float32 (i, j, k); affine: 4x4 to RAS mm, None without a scale;
    axis: the voxel axis across the slices.

    Raises ShapeError for what lies outside of the scan, on several slices, or is too small.
    """
    points = np.array(drawn.points, np.float64).reshape(-1, 3)
    _check(points, voxels.shape, axis, drawn.shape)
    if drawn.shape is Shape.PROBE:
        return _probe(voxels, affine if sides_known else None, points[0])
    if drawn.shape is Shape.ELLIPSE:
        return _ellipse(voxels, affine, axis, points)
    if affine is None:
        raise ShapeError(text("shape.no_scale"))
    places = points @ affine[:3, :3].T
    if drawn.shape is Shape.LENGTH:
        return Figures(length_mm=float(np.linalg.norm(places[1] - places[0])))
    return Figures(angle_degrees=_angle(places))


def _check(points: FloatPoints, shape: tuple[int, ...], axis: int, kind: Shape) -> None:
    if len(points) != POINTS[kind] or not np.isfinite(points).all():
        raise ShapeError(text("shape.wrong"))
    if (points < -0.5).any() or (points > np.array(shape) - 0.5).any():
        raise ShapeError(text("shape.outside"))
    if len(set(np.rint(points[:, axis]).tolist())) > 1:
        raise ShapeError(text("shape.slices"))
    apart = np.linalg.norm(np.diff(points, axis=0), axis=1)
    if (apart < SHORTEST).any():
        raise ShapeError(text("shape.small"))


def _angle(places: FloatPoints) -> float:
    """Degrees between the legs at the second of three places, 0 to 180."""
    one, other = places[0] - places[1], places[2] - places[1]
    across = np.linalg.norm(np.cross(one, other))
    return float(np.degrees(np.arctan2(across, one @ other)))


def _probe(voxels: FloatArray, affine: Affine | None, point: FloatPoints) -> Figures:
    i, j, k = nearest(point, voxels.shape)
    place: Place | None = None
    if affine is not None:
        right, front, up = affine[:3, :3] @ (i, j, k) + affine[:3, 3]
        place = (float(right), float(front), float(up))
    return Figures(value=float(voxels[i, j, k]), place=place)


def nearest(point: FloatPoints, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The voxel in which a point lies."""
    i, j, k = np.clip(np.rint(point).astype(int), 0, np.array(shape) - 1)
    return int(i), int(j), int(k)


def _ellipse(voxels: FloatArray, affine: Affine | None, axis: int, points: FloatPoints) -> Figures:
    """Mean and SD of the voxels whose middle lies within, and the area of the ellipse itself."""
    one, other = (each for each in range(3) if each != axis)
    middle, halves = points.mean(axis=0), np.abs(points[1] - points[0]) / 2
    if min(halves[one], halves[other]) < SHORTEST:
        raise ShapeError(text("shape.small"))
    slice_ = np.take(voxels, nearest(points[0], voxels.shape)[axis], axis=axis)
    rows, columns = np.ogrid[: slice_.shape[0], : slice_.shape[1]]
    away = ((rows - middle[one]) / halves[one]) ** 2 + (
        (columns - middle[other]) / halves[other]
    ) ** 2
    inside = slice_[away <= 1].astype(np.float64)
    if not inside.size:
        raise ShapeError(text("shape.no_voxel"))
    area = None
    if affine is not None:
        sides = np.cross(affine[:3, one] * halves[one], affine[:3, other] * halves[other])
        area = float(np.pi * np.linalg.norm(sides))
    return Figures(
        area_mm2=area, mean=float(inside.mean()), sd=float(inside.std()), voxels=inside.size
    )
