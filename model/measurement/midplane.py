"""The plane between the patient's left and right, from the head or the grid; the brain's extent."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from model.geometry import block_means
from model.intensity import Levels, head_mask
from model.volume import Affine, FloatArray, Scale, Upright, Volume

Vectors = NDArray[np.float64]

BLOCK_MM = 4.0  # the halves are compared on voxels about this large
MOST_POINTS = 6000  # that are compared
BLUR_MM = 4.0  # of the blocks, so that it matters little how they fall on the mirror image
BRIGHT = 1.3  # times the head's median: what is brighter counts as this, so a tumor weighs little
YAWS = range(-36, 37, 9)  # degrees of turning from which the search starts
OFFSETS = (-8, 0, 8)  # mm from the head's middle, likewise
STEPS = (6.0, 4.0, 3.0)  # first steps of the search: yaw (degrees), offset (mm), roll (degrees)
LAST_STEPS = (1.0, 0.7, 0.5)  # of the search with all points
THINNED = 4  # the first search takes every fourth point
ROUGHLY, EXACTLY = (0.3, 1e-3), (0.02, 1e-6)  # how far the last places and measures may differ
REFINED = 2  # of the starts
TALL = 5  # blocks; a head that is less tall does not show how it is tipped


@dataclass(frozen=True)
class Blocks:
    """A scan as means of blocks of voxels: float32 along R, A, S.

    to_mm: 3 x 3, block indices to mm; `first`: mm of block (0, 0, 0) from the scan's middle.
    """

    field: FloatArray
    to_mm: Vectors
    first: Vectors

    def points(self, inside: NDArray[np.bool_]) -> Vectors:
        """Middles (n, 3) of the blocks marked in `inside`, in mm from the scan's middle."""
        mm: Vectors = np.argwhere(inside) @ self.to_mm.T + self.first
        return mm


@dataclass(frozen=True)
class Mirror:
    """The plane `normal @ x = offset`, x in mm from the scan's middle, `normal` to the right.

    unlike: from 0 to 1, how badly the head fits its mirror image.
    """

    normal: Vectors
    offset: float
    unlike: float


def blocks_of(voxels: FloatArray, to_mm: Vectors, levels: Levels) -> Blocks:
    """The brightness of voxels (R, A, S); to_mm: 3 x 3, voxel steps to mm. Odd ends are cut off."""
    affine = np.eye(4)
    affine[:3, :3] = to_mm
    affine[:3, 3] = -to_mm @ ((np.array(voxels.shape) - 1) / 2)
    sizes = np.round(BLOCK_MM / np.linalg.norm(to_mm, axis=0)).astype(int)
    field, wider = block_means(voxels, affine, sizes, levels.bright)
    return Blocks(field, wider[:3, :3], wider[:3, 3])


def find_mirror(blocks: Blocks, head: NDArray[np.bool_]) -> Mirror:
    """The plane about which the head is most like its mirror image.

    head: bool, of the blocks, not empty. The measure is sum |I(p) - I(p')| / sum (I(p) + I(p')),
    p' the mirror image of p (Bray and Curtis 1957), over points of the head: absolute
    differences of capped brightness let a tumor on one side weigh little. Searched over yaw and
    offset, then by Nelder and Mead (Comput J 1965) over yaw, offset and roll: first with some of
    the points, at last with all.
    """
    fine = _Comparison.of(blocks, head)
    coarse = fine.thinned()
    free = 3 if head.shape[2] >= TALL else 2
    starts = [np.array([yaw, offset, 0.0])[:free] for yaw in YAWS for offset in OFFSETS]
    starts.sort(key=coarse.unlike)
    found = [_refine(coarse, start, STEPS, ROUGHLY) for start in starts[:REFINED]]
    best = _refine(fine, min(found, key=coarse.unlike), LAST_STEPS, EXACTLY)
    normal, offset = _plane(best)
    return Mirror(normal, offset + float(normal @ fine.middle), fine.unlike(best))


def _refine(
    comparison: "_Comparison", start: Vectors, steps: tuple[float, ...], ends: tuple[float, float]
) -> Vectors:
    free = len(start)
    simplex = start + np.vstack([np.zeros(free), np.diag(steps[:free])])
    result = optimize.minimize(
        comparison.unlike,
        start,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": ends[0], "fatol": ends[1], "maxfev": 150},
    )
    place: Vectors = result.x
    return place


@dataclass(frozen=True)
class _Comparison:
    """places: (3, n) mm of the head's points from its middle; index: where they lie in `field`, the
    blurred blocks, and values (n,) what is there; to_index: 3 x 3, mm to blocks."""

    places: Vectors
    index: Vectors
    values: FloatArray
    field: FloatArray
    to_index: Vectors
    middle: Vectors

    @staticmethod
    def of(blocks: Blocks, head: NDArray[np.bool_]) -> "_Comparison":
        level = BRIGHT * float(np.median(blocks.field[head]))
        field = np.minimum(blocks.field / np.float32(level), np.float32(1))
        field = ndimage.gaussian_filter(field, BLUR_MM / np.linalg.norm(blocks.to_mm, axis=0))
        every = max(1, round(int(head.sum()) / MOST_POINTS))
        points = blocks.points(head)
        middle = points.mean(axis=0)
        return _Comparison(
            places=np.ascontiguousarray((points[::every] - middle).T),
            index=np.ascontiguousarray(np.argwhere(head)[::every].T, np.float64),
            values=field[head][::every],
            field=field,
            to_index=np.asarray(np.linalg.inv(blocks.to_mm), np.float64),
            middle=middle,
        )

    def thinned(self) -> "_Comparison":
        """The same for some of the points."""
        some = slice(None, None, THINNED)
        values = np.ascontiguousarray(self.values[some])
        places, index = (np.ascontiguousarray(each[:, some]) for each in (self.places, self.index))
        return replace(self, places=places, index=index, values=values)

    def unlike(self, place: Vectors) -> float:
        """The measure for a plane, as `_plane` takes it."""
        normal, offset = _plane(place)
        away = normal @ self.places - offset
        mirrored = self.index - np.multiply.outer(2 * self.to_index @ normal, away)
        there = ndimage.map_coordinates(self.field, mirrored, order=1, mode="nearest")
        difference = np.abs(self.values - there).sum()
        return float(difference / (self.values.sum() + there.sum()))


def _plane(place: Vectors) -> tuple[Vectors, float]:
    """Unit vector to the right of a head, and the plane's offset along it from the head's middle.

    place: the head's yaw about S (degrees), the offset (mm) and, if free, its roll about A.
    """
    yaw, offset, *roll = place.tolist()
    turn, tip = np.radians(yaw), np.radians(roll[0] if roll else 0.0)
    normal = np.array([np.cos(turn) * np.cos(tip), np.sin(turn) * np.cos(tip), np.sin(tip)])
    return normal, float(offset)


CALOTTE_MM = 80.0  # below the top of the head: there it is cranium alone, without nose and neck
HEIGHT = 0.75  # of the head's length: from its top to the skull base
LEAST_AREA = 0.05  # of the largest section: what is less is no part of the head's extent
SECTION_MM = 4.0


@dataclass(frozen=True)
class Span:
    """One way through the brain: `direction @ x` (x in RAS mm) runs from `first` to `last`."""

    direction: Vectors
    first: float
    last: float

    def share(self, point: Vectors) -> float:
        """Where a point lies on the way: 0 at the first end, 1 at the last; beyond them too."""
        return float(self.direction @ point - self.first) / (self.last - self.first)


@dataclass(frozen=True)
class Extent:
    """The brain from back to front and from bottom to top."""

    to_front: Span
    to_top: Span


def brain_extent(head: Vectors, right: Vectors) -> Extent | None:
    """The brain's extent from the points of a head; None where there is no length in it.

    head: (n, 3) mm, evenly spread; right: unit vector. Up is the body's axis as the scanner knows
    it, turned at right angles to `right`. From back to front the cranium counts as it is within
    CALOTTE_MM of its top; downwards the brain ends where the scan does, at HEIGHT times that
    length at most. Scalp and skull are not taken off, so an end is up to about a centimetre out.
    """
    up = np.array([0, 0, 1]) - right[2] * right
    up /= np.linalg.norm(up)
    front = np.cross(up, right)
    bottom, top = _ends(head @ up)
    back, tip = _ends((head @ front)[head @ up > top - CALOTTE_MM])
    if tip <= back or top <= bottom:
        return None
    bottom = max(bottom, top - HEIGHT * (tip - back))
    return Extent(Span(front, back, tip), Span(up, bottom, top))


def _ends(places: Vectors) -> tuple[float, float]:
    """First and last place of the sections that hold enough of the head."""
    sections = np.floor(places / SECTION_MM).astype(int)
    counts = np.bincount(sections - sections.min())
    held = np.flatnonzero(counts >= LEAST_AREA * counts.max()) + sections.min()
    return float(held[0] * SECTION_MM), float((held[-1] + 1) * SECTION_MM)


HEAD_MM = 144.0  # height of a head in a scan whose millimetres are only assumed


@dataclass(frozen=True)
class Midplane:
    """A plane in RAS mm: `point` lies on it, unit vector `normal` looks to the right.

    brain: how far the brain reaches along the plane; None where too little of a head is there.
    """

    point: NDArray[np.float64]
    normal: NDArray[np.float64]
    brain: Extent | None = None

    def signed_distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance in mm of points (n, 3) in RAS mm: positive on the patient's right."""
        distance: NDArray[np.float64] = (points - self.point) @ self.normal
        return distance


RIGHT = np.array([1.0, 0.0, 0.0])


def midplane_of_head(volume: Volume) -> Midplane | None:
    """The plane that mirrors the head best onto itself; None where sides are not known.

    It turns and tips with the head (`model/measurement/midplane.py`). It is where the middle should
    be: a falx that a tumor has pushed aside does not move it, and how far is not measured.
    """
    if not volume.sides_known:
        return None
    grid = Upright.of(volume.shape, volume.affine)
    voxels, levels, to_mm = grid.turn(volume.voxels), volume.levels, grid.affine[:3, :3]
    stretched = to_mm
    if volume.scale is not Scale.DECLARED:
        stretched = _with_a_heads_height(levels.bright(voxels[::4, ::4]), to_mm)
    blocks = blocks_of(voxels, stretched, levels)
    head = head_mask(blocks.field)
    if not head.any():
        return None
    mirror = find_mirror(blocks, head)
    middle = to_mm @ ((np.array(grid.shape) - 1) / 2) + grid.affine[:3, 3]
    to_stretched = stretched @ np.linalg.inv(to_mm)
    towards_right = mirror.normal @ to_stretched
    point = middle + towards_right * mirror.offset / (towards_right @ towards_right)
    extent = None if volume.is_picture else brain_extent(blocks.points(head), mirror.normal)
    return Midplane(
        point,
        towards_right / np.linalg.norm(towards_right),
        None if extent is None else _unstretched(extent, to_stretched, middle),
    )


def midplane_of_grid(shape: tuple[int, int, int], affine: Affine) -> Midplane | None:
    """The plane x = 0, if it lies in the middle fifth of the grid along x; else None."""
    ends = np.array(np.meshgrid(*[(-0.5, length - 0.5) for length in shape])).reshape(3, -1)
    x = affine[0, :3] @ ends + affine[0, 3]
    share = -x.min() / (x.max() - x.min())
    if not 0.4 <= share <= 0.6:
        return None
    return Midplane(np.zeros(3), RIGHT)


def _with_a_heads_height(bright: FloatArray, to_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Voxel steps with slices as far apart as makes the head HEAD_MM high.

    bright: some of its rows and columns. Where millimetres are only assumed, slices of 5 mm may be
    told as 1 mm apart.
    """
    tall = head_mask(bright).mean(axis=(0, 1))
    height = max(1, int((tall > 0.1 * tall.max()).sum())) * np.linalg.norm(to_mm[:, 2])
    stretched: NDArray[np.float64] = to_mm * np.array([1, 1, HEAD_MM / height])
    return stretched


def _unstretched(
    extent: Extent, to_stretched: NDArray[np.float64], middle: NDArray[np.float64]
) -> Extent:
    """The same extent for points in RAS mm, not in stretched mm from the scan's middle."""

    def span(of: Span) -> Span:
        direction = of.direction @ to_stretched
        shift = float(direction @ middle)
        return replace(of, direction=direction, first=of.first + shift, last=of.last + shift)

    return Extent(span(extent.to_front), span(extent.to_top))
