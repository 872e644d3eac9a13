"""The two in-plane diameters of a lesion, as a radiologist would draw them on one slice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from model.volume import Affine

Points = NDArray[np.float64]
TIE_MM = 1e-6  # lengths that differ by less count as equal


@dataclass(frozen=True)
class Diameter:
    """A line of `length` from `start` to `end`, all in mm (RAS)."""

    length: float
    start: tuple[float, float, float]
    end: tuple[float, float, float]


@dataclass(frozen=True)
class InPlane:
    """The longest diameter, the longest one perpendicular to it, and their slice's index."""

    longest: Diameter
    perpendicular: Diameter
    slice_index: int


def in_plane_diameters(lesion: NDArray[np.bool_], affine: Affine, axis: int) -> InPlane:
    """The slice across `axis` with the longest diameter, and the longest line across it there.

    lesion: bool (i, j, k), not empty. Lengths run along the half-level contour, outer edge to
    outer edge, on the contour's convex hull, in mm by the affine: right for oblique and
    anisotropic grids. Of equally long diameters that with the longest line across counts, so
    that the order of storage does not. After RANO's bidimensional measurement (Wen et al.,
    J Clin Oncol 2010).
    """
    plane = _Plane(affine, axis)
    occupied = np.flatnonzero(lesion.any(axis=tuple({0, 1, 2} - {axis})))
    hulls = [plane.hull(np.take(lesion, index, axis=axis)) for index in occupied]
    longest = max(float(_distances(hull).max()) for hull in hulls)
    drawn = [
        InPlane(plane.line(start, end, where), plane.line(*across, where), where)
        for where, hull in zip(occupied.tolist(), hulls, strict=True)
        for start, end, across in _equally_long(hull, longest - TIE_MM)
    ]
    return max(drawn, key=lambda lines: lines.perpendicular.length)


def _equally_long(
    hull: Points, length: float
) -> list[tuple[Points, Points, tuple[Points, Points]]]:
    """Start, end and longest line across of each diameter that is at least `length` mm."""
    pairs = np.argwhere(np.triu(_distances(hull)) >= length)
    lines = [(hull[start], hull[end]) for start, end in pairs]
    return [(start, end, _longest_across(hull, end - start)) for start, end in lines]


class _Plane:
    """Slices across one voxel axis, with 2D coordinates in mm on them."""

    def __init__(self, affine: Affine, axis: int) -> None:
        self._affine = affine
        self._axis = axis
        a, b = (affine[:3, other] for other in range(3) if other != axis)
        u = a / np.linalg.norm(a)
        v = b - (b @ u) * u
        self._basis = np.stack([u, v / np.linalg.norm(v)])  # (2, 3): rows are unit vectors
        self._to_mm = np.stack([self._basis @ a, self._basis @ b], axis=1)  # voxels -> mm

    def hull(self, area: NDArray[np.bool_]) -> Points:
        """Corners (n, 2) in mm of the convex hull of the half-level contour of a 2D area."""
        rows = np.flatnonzero(area.any(axis=1))
        first = area[rows].argmax(axis=1)
        last = area.shape[1] - 1 - area[rows, ::-1].argmax(axis=1)
        centres = np.concatenate([np.stack([rows, first], 1), np.stack([rows, last], 1)])
        steps = np.array([[0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])
        edge = (centres[:, None] + steps).reshape(-1, 2)
        points: Points = edge @ self._to_mm.T
        return points[ConvexHull(points).vertices]

    def line(self, start: Points, end: Points, index: int) -> Diameter:
        """A line between two points of the plane, as RAS mm on the slice `index`."""
        origin = self._affine[:3, 3] + index * self._affine[:3, self._axis]
        a, b = origin + start @ self._basis, origin + end @ self._basis
        return Diameter(float(np.linalg.norm(b - a)), _three(a), _three(b))


def _three(point: Points) -> tuple[float, float, float]:
    return float(point[0]), float(point[1]), float(point[2])


def _distances(points: Points) -> Points:
    distances: Points = np.linalg.norm(points[:, None] - points[None], axis=2)
    return distances


def _longest_across(hull: Points, direction: Points) -> tuple[Points, Points]:
    """The longest chord of a convex polygon at right angles to `direction`.

    The chord's length is concave and piecewise linear along `direction`, so it is longest at
    one of the corners.
    """
    along = direction / np.linalg.norm(direction)
    across = np.array([-along[1], along[0]])
    s, t = hull @ along, hull @ across
    chords = [_chord(s, t, level) for level in s]
    low, high = max(chords, key=lambda chord: chord[1] - chord[0])
    level = s[chords.index((low, high))]
    return level * along + low * across, level * along + high * across


def _chord(s: Points, t: Points, level: float) -> tuple[float, float]:
    """Lowest and highest t where the closed polygon (s, t) crosses s = level."""
    s2, t2 = np.roll(s, -1), np.roll(t, -1)
    crosses = (np.minimum(s, s2) <= level) & (np.maximum(s, s2) >= level) & (s != s2)
    share = (level - s[crosses]) / (s2[crosses] - s[crosses])
    hits = t[crosses] + share * (t2[crosses] - t[crosses])
    hits = np.concatenate([hits, t[s == level]])
    return float(hits.min()), float(hits.max())
