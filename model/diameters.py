"""The two in-plane diameters of a lesion, as a radiologist would draw them on one slice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

from model.contour import longest_across, outline
from model.points import Points
from model.volume import Affine

TIE_MM = 1e-6  # lengths that differ by less count as equal
IN_SLICE = np.zeros((3, 3, 3), bool)
IN_SLICE[1] = True


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

    @property
    def product(self) -> float:
        """Product of both diameters in mm2: the size of a lesion after RANO (Wen et al., J Clin
        Oncol 2010) and, before it, Macdonald et al. (J Clin Oncol 1990)."""
        return self.longest.length * self.perpendicular.length


@dataclass(frozen=True)
class _Piece:
    """One piece of a lesion on the slice `index`: bool (rows, columns) from `corner` on."""

    index: int
    area: NDArray[np.bool_]
    corner: NDArray[np.int_]


def in_plane_diameters(lesion: NDArray[np.bool_], affine: Affine, axis: int) -> InPlane:
    """The slice across `axis` with the longest diameter, and the longest line across it there.

    lesion: bool (i, j, k), not empty; affine: voxels to RAS mm. The longest diameter is the
    largest distance between two points of the half-level outline of one piece of the lesion on
    its slice (pixels that touch by edge or corner); the perpendicular is the longest line at
    right angles to it with both ends on that outline; holes and bays between the ends count.
    Lengths are taken in mm by the affine: right for oblique and anisotropic grids. Of equally
    long diameters that with the longest line across counts, then the first slice. After RANO's
    bidimensional measurement (Wen et al., J Clin Oncol 2010).
    """
    plane = _Plane(affine, axis)
    longest, found = 0.0, []
    for piece in sorted(_pieces(lesion, axis), key=plane.diagonal, reverse=True):
        if plane.diagonal(piece) < longest - TIE_MM:
            break  # no piece that is left can hold a longer line
        hull = plane.hull(piece)
        distances = cdist(hull, hull)
        longest = max(longest, float(distances.max()))
        ends = np.argwhere(np.triu(distances) >= longest - TIE_MM)
        found += [(piece, hull[start], hull[end], distances[start, end]) for start, end in ends]
    drawn = [
        plane.draw(piece, start, end)
        for piece, start, end, length in sorted(found, key=lambda line: line[0].index)
        if length >= longest - TIE_MM
    ]
    widest = max(lines.perpendicular.length for lines in drawn)
    return next(lines for lines in drawn if lines.perpendicular.length >= widest - TIE_MM)


def _pieces(lesion: NDArray[np.bool_], axis: int) -> list[_Piece]:
    numbered, _ = ndimage.label(np.moveaxis(lesion, axis, 0), IN_SLICE)
    pieces = []
    for number, box in enumerate(ndimage.find_objects(numbered), start=1):
        assert box is not None, "every piece has a box"
        first, row, column = (int(part.start) for part in box)
        pieces.append(_Piece(first, numbered[box][0] == number, np.array([row, column])))
    return pieces


class _Plane:
    """Slices across one voxel axis, with 2D coordinates in mm on them."""

    def __init__(self, affine: Affine, axis: int) -> None:
        self._affine = affine
        self._axis = axis
        a, b = (affine[:3, other] for other in range(3) if other != axis)
        u = a / np.linalg.norm(a)
        v = b - (b @ u) * u
        self._basis = np.stack([u, v / np.linalg.norm(v)])  # (2, 3): rows are unit vectors
        self._to_mm = np.stack([self._basis @ a, self._basis @ b], axis=1)  # pixels -> mm

    def diagonal(self, piece: _Piece) -> float:
        """The longer diagonal of the box around a piece, in mm: no line in it is longer."""
        rows, columns = piece.area.shape
        corners = np.array([[rows, columns], [rows, -columns]]) @ self._to_mm.T
        return float(np.linalg.norm(corners, axis=1).max())

    def hull(self, piece: _Piece) -> Points:
        """Corners (n, 2) in mm of the convex hull of a piece's half-level outline."""
        area = piece.area
        rows = np.flatnonzero(area.any(axis=1))
        first = area[rows].argmax(axis=1)
        last = area.shape[1] - 1 - area[rows, ::-1].argmax(axis=1)
        centres = np.concatenate([np.stack([rows, first], 1), np.stack([rows, last], 1)])
        steps = np.array([[0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])
        edge = (centres[:, None] + steps).reshape(-1, 2) + piece.corner
        points: Points = edge @ self._to_mm.T
        return points[ConvexHull(points).vertices]

    def draw(self, piece: _Piece, start: Points, end: Points) -> InPlane:
        """Both lines on a piece, the longest one from `start` to `end`."""
        contour = (outline(piece.area) + piece.corner) @ self._to_mm.T
        across = longest_across(contour, start, end)
        return InPlane(
            self._line(start, end, piece.index), self._line(*across, piece.index), piece.index
        )

    def _line(self, start: Points, end: Points, index: int) -> Diameter:
        origin = self._affine[:3, 3] + index * self._affine[:3, self._axis]
        a, b = origin + start @ self._basis, origin + end @ self._basis
        return Diameter(float(np.linalg.norm(end - start)), _three(a), _three(b))


def _three(point: Points) -> tuple[float, float, float]:
    return float(point[0]), float(point[1]), float(point[2])
