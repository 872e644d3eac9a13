"""The two in-plane diameters of a lesion, as a radiologist would draw them on one slice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

from model.geometry import Points
from model.volume import Affine

SAME_MM = 2e-6  # places along a line that differ by less are one
DIGITS = 6  # of a millimetre, to which such places are rounded

# Middles of the four edges of a square of pixel centres, (row, column) from its first corner.
TOP, BOTTOM, LEFT, RIGHT = (0.0, 0.5), (1.0, 0.5), (0.5, 0.0), (0.5, 1.0)
# Which of them the outline joins, by corners inside: 1 first, 2 next column, 4 next row, 8 both.
# Two corners that touch diagonally belong together, as they do among 26 neighbours.
JOINED = {
    1: ((LEFT, TOP),),
    2: ((TOP, RIGHT),),
    3: ((LEFT, RIGHT),),
    4: ((LEFT, BOTTOM),),
    5: ((TOP, BOTTOM),),
    6: ((LEFT, TOP), (RIGHT, BOTTOM)),
    7: ((RIGHT, BOTTOM),),
    8: ((RIGHT, BOTTOM),),
    9: ((TOP, RIGHT), (LEFT, BOTTOM)),
    10: ((TOP, BOTTOM),),
    11: ((LEFT, BOTTOM),),
    12: ((LEFT, RIGHT),),
    13: ((TOP, RIGHT),),
    14: ((LEFT, TOP),),
}


def outline(area: NDArray[np.bool_]) -> Points:
    """The outline's pieces (n, 2, 2): both ends of each as (row, column), in pixels.

    area: bool (rows, columns). Pixel centres have whole numbers, so a single pixel's outline
    reaches half a pixel to each side. Marching squares (Lorensen and Cline, SIGGRAPH 1987, in
    the plane).
    """
    inside = np.pad(area, 1).astype(np.uint8)
    corners = inside[:-1, :-1] + 2 * inside[:-1, 1:] + 4 * inside[1:, :-1] + 8 * inside[1:, 1:]
    pieces = []
    for pattern, joined in JOINED.items():
        squares = np.argwhere(corners == pattern) - 1.0
        pieces += [squares[:, None] + np.array(ends) for ends in joined]
    return np.concatenate(pieces)


def longest_across(pieces: Points, start: Points, end: Points) -> tuple[Points, Points]:
    """Both ends of the longest line at right angles to `start`-`end`, on a closed outline.

    pieces: (n, 2, 2) straight pieces of the outline, in mm; start, end: (2,), on it. Along the
    line, the outline's outermost distance to each side is linear between the pieces' ends, so
    the longest line across lies at one of these; of equally long ones the nearest to the middle.
    """
    along = (end - start) / np.linalg.norm(end - start)
    across = np.array([-along[1], along[0]])
    s, t = pieces @ along, pieces @ across
    levels = np.unique(np.round(s, DIGITS))
    low, high = _reach(s, t, levels)
    width = high - low
    from_middle = np.abs(levels - (start + end) @ along / 2)
    best = min(np.flatnonzero(width >= width.max() - SAME_MM), key=from_middle.__getitem__)
    foot = levels[best] * along
    return foot + low[best] * across, foot + high[best] * across


def _reach(s: Points, t: Points, levels: Points) -> tuple[Points, Points]:
    """Lowest and highest t at which the outline crosses each level of s: (levels,) each."""
    first = np.searchsorted(levels, s.min(axis=1) - SAME_MM)
    counts = np.searchsorted(levels, s.max(axis=1) + SAME_MM, side="right") - first
    piece = np.repeat(np.arange(len(s)), counts)
    level = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts - first, counts)
    run = s[piece, 1] - s[piece, 0]
    is_level = np.abs(run) < SAME_MM  # such a piece counts with both of its ends
    share = (levels[level] - s[piece, 0]) / np.where(is_level, 1, run)
    share = np.clip(np.where(is_level, 0, share), 0, 1)
    one = t[piece, 0] + share * (t[piece, 1] - t[piece, 0])
    other = np.where(is_level, t[piece, 1], one)
    low, high = np.full(len(levels), np.inf), np.full(len(levels), -np.inf)
    np.minimum.at(low, level, np.minimum(one, other))
    np.maximum.at(high, level, np.maximum(one, other))
    return low, high


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
