"""How far the brain's own middle stands off the mid-plane of the head: the midline shift.

Falx, fissure and ventricles are alike to their left and right. So at each place of the mid-plane
the tissue is mirrored about lines up to MOST_MM aside, and a smooth sheet is laid through where
it is most like its mirror image, by semi-global matching (Hirschmueller, IEEE PAMI 2008).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.geometry import box_of_places, inverse, move
from model.measurement.location import Side
from model.measurement.midplane import Midplane
from model.volume import FloatArray, MaskArray, Upright, Volume

Sheet = NDArray[np.float64]

MOST_MM = 16  # aside, in steps of 1 mm, that are looked at
NEAR_MM, REACH_MM = 5.0, 12  # tissue counts less with its distance (standard deviation), and ends
HALF_MM = MOST_MM + REACH_MM + 2
ROW_MM, LEVELS = 3.0, 40  # rows from back to front; levels from the brain's bottom to its top
BLUR = (1.5, 1.0)  # rows and levels (standard deviation) over which tissue is compared together
BRIGHT = 1.25  # times the head's median: what is brighter counts as this
NOISE = 2e-3  # variance, in squares of the head's median, that is no structure
BEND = 0.05  # what a difference of 1 mm between neighbours costs, and with its square
MIDDLE = ((0.30, 0.72), (0.36, 0.67))  # of the brain from back to front, and from bottom to top
PATCH = (7, 5)  # rows and levels whose median counts: 21 mm by about 18
FEWEST_ROWS = 20  # from back to front: less is no head
LEAST_SEEN = 0.8  # share of the middle that must lie in the scan's head
LEAST_MM = 3.0  # heads that nothing pushes reach 1.5: less is no shift
ASIDE_MM = 3  # a sheet that far from the one found
LEAST_SCORE, MOST_SPREAD_MM = 1.0, 2.0  # of what is believed; MODEL_CARD.md tells what heads reach


@dataclass(frozen=True)
class MidlineShift:
    """mm: where the shift is largest, positive to the patient's right; None if not believed.

    score: how much less like its mirror image the tissue is ASIDE_MM or more aside.
    """

    mm: float | None
    score: float

    @property
    def to(self) -> Side | None:
        """The patient's side to which it is shifted; None if by less than LEAST_MM."""
        if self.mm is None or abs(self.mm) < LEAST_MM:
            return None
        return Side.RIGHT if self.mm > 0 else Side.LEFT


@dataclass(frozen=True)
class _Slab:
    """The head about its mid-plane: (R in mm from -HALF_MM, rows to the front, levels to the top).

    bright: multiples of the head's median; free: 0 for what the lesion covers and for air.
    """

    bright: FloatArray
    free: FloatArray


def midline_shift(
    volume: Volume, mask: MaskArray, midplane: Midplane | None
) -> MidlineShift | None:
    """The largest shift in the middle of the brain, about the ventricles; mask: the lesion.

    None where sides are not known, or the scan does not show the brain there. It counts how far
    the median of a patch of the sheet lies from the mid-plane, so what is shifted in a small
    place alone tells less than all.
    """
    if midplane is None or midplane.brain is None or volume.is_picture:
        return None
    slab = _slab(volume, mask, midplane)
    if slab.bright.shape[1] < FEWEST_ROWS:
        return None
    costs = _sheet_costs(-_likeness(slab))
    sheet = _lowest(costs)
    middle = _middle(sheet.shape)
    seen = middle & _is_head(slab)
    if seen.sum() < LEAST_SEEN * middle.sum():
        return None
    medians = np.where(seen, ndimage.median_filter(sheet, PATCH), 0)
    row, level = np.unravel_index(int(np.abs(medians).argmax()), medians.shape)
    patch = tuple(
        slice(int(at) - size // 2, int(at) + size // 2 + 1)
        for at, size in zip((row, level), PATCH, strict=True)
    )
    score = float(_clearness(costs, sheet)[patch].mean())
    is_believed = score >= LEAST_SCORE and float(sheet[patch].std()) <= MOST_SPREAD_MM
    return MidlineShift(float(medians[row, level]) if is_believed else None, score)


def _slab(volume: Volume, mask: MaskArray, midplane: Midplane) -> _Slab:
    """Upright, so that every order of storage gives the same."""
    assert midplane.brain is not None, "who asks has looked"
    grid = Upright.of(volume.shape, volume.affine)
    front, top = midplane.brain.to_front, midplane.brain.to_top
    ways = np.stack([midplane.normal, front.direction, top.direction])
    steps = (
        np.arange(-HALF_MM, HALF_MM + 1.0) + midplane.normal @ midplane.point,
        front.first + ROW_MM * (np.arange(int((front.last - front.first) / ROW_MM)) + 0.5),
        top.first + (top.last - top.first) * (np.arange(LEVELS) + 0.5) / LEVELS,
    )
    places = np.stack([axis.ravel() for axis in np.meshgrid(*steps, indexing="ij")])
    voxels = move(np.linalg.solve(ways, places).T, inverse(grid.affine)).T
    shape = tuple(len(axis) for axis in steps)
    box = box_of_places(voxels, grid.shape)
    inside = voxels - np.array([[side.start] for side in box])
    bright = volume.levels.bright(grid.turn(volume.voxels)[box])
    bright /= np.float32(volume.levels.middle)
    seen, covered = (
        ndimage.map_coordinates(each, inside, order=1, output=np.float32).reshape(shape)
        for each in (bright, grid.turn(mask)[box].astype(np.float32))
    )
    return _Slab(seen, ((covered < 0.02) & (seen > 0)).astype(np.float32))


def _likeness(slab: _Slab) -> Sheet:
    """How like its mirror image the tissue is: (rows, levels, steps aside), -1 to 1.

    The correlation of values with their mirror images about one mean, over free pairs alone.
    """
    tissue = ndimage.gaussian_filter1d(np.minimum(slab.bright, BRIGHT).astype(np.float64), 0.7, 0)
    away = np.arange(1, REACH_MM + 1)
    near = np.exp(-0.5 * (away / NEAR_MM) ** 2)[:, None, None]
    found = []
    for aside in range(HALF_MM - MOST_MM, HALF_MM + MOST_MM + 1):
        left, right = tissue[aside - away], tissue[aside + away]
        pairs = near * slab.free[aside - away] * slab.free[aside + away]
        count = _around(pairs) + 1e-6
        mean = _around(pairs * (left + right) / 2) / count
        both = _around(pairs * (left - mean) * (right - mean)) / count
        each = _around(pairs * ((left - mean) ** 2 + (right - mean) ** 2) / 2) / count
        known = np.minimum(count / near.sum() / 0.5, 1)  # half of the pairs free is enough
        found.append(known * both / (each + NOISE))
    return np.stack(found, axis=-1)


def _around(values: NDArray[Any]) -> Sheet:
    """The sum over the pairs of each place, with its neighbours."""
    return np.asarray(ndimage.gaussian_filter(values.sum(axis=0), BLUR, mode="constant"))


def _sheet_costs(costs: Sheet) -> Sheet:
    """For every place and step aside, what the best bending paths through it cost, four ways."""
    steps = np.arange(costs.shape[2])
    bend = BEND * np.subtract.outer(steps, steps) ** 2
    total = -3 * costs
    for axis in (0, 1):
        for way in (slice(None), slice(None, None, -1)):
            path = np.moveaxis(costs, axis, 0)[way].copy()
            for at in range(1, len(path)):
                before = (path[at - 1][:, None, :] + bend).min(axis=-1)
                path[at] += before - before.min(axis=-1, keepdims=True)
            total += np.moveaxis(path[way], 0, axis)
    return total


def _lowest(costs: Sheet) -> Sheet:
    """Where the costs are lowest, in mm to the right, by a parabola through three steps."""
    best = np.clip(costs.argmin(axis=-1), 1, costs.shape[2] - 2)[..., None]
    before, at, after = (
        np.take_along_axis(costs, best + step, axis=-1)[..., 0] for step in (-1, 0, 1)
    )
    bend = np.maximum(before - 2 * at + after, 1e-9)
    place: Sheet = best[..., 0] - MOST_MM + np.clip((before - after) / (2 * bend), -1, 1)
    return place


def _clearness(costs: Sheet, sheet: Sheet) -> Sheet:
    aside = np.abs(np.arange(-MOST_MM, MOST_MM + 1) - sheet[..., None]) > ASIDE_MM
    clear: Sheet = np.where(aside, costs, np.inf).min(axis=-1) - costs.min(axis=-1)
    return clear


def _middle(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The part of the sheet that is measured."""
    shares = (np.arange(length) + 0.5 for length in shape)
    inside = [
        (share / length >= low) & (share / length <= high)
        for share, length, (low, high) in zip(shares, shape, MIDDLE, strict=True)
    ]
    return np.asarray(np.logical_and.outer(*inside))


def _is_head(slab: _Slab) -> NDArray[np.bool_]:
    """Where the sheet lies in the head, not in air."""
    filled = (slab.bright > 0.3).mean(axis=0, dtype=np.float64)
    return np.asarray(ndimage.gaussian_filter(filled, 1) > 0.6)
