"""The plane that mirrors a head best onto itself, found by comparing both of its halves."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from model.levels import Levels
from model.points import block_means
from model.volume import FloatArray

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
            np.ascontiguousarray((points[::every] - middle).T),
            np.ascontiguousarray(np.argwhere(head)[::every].T, np.float64),
            field[head][::every],
            field,
            np.asarray(np.linalg.inv(blocks.to_mm), np.float64),
            middle,
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
