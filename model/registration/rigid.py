"""Two heads registered by turning and shifting one, and how well that went."""

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from model.geometry import Points, block_means, inverse, move
from model.intensity import brightness, head_mask
from model.volume import Affine, FloatArray, Volume, column_lengths

STEPS_MM = (8.0, 4.0)  # distance of the points that are compared, coarse to fine
RIM_MM = 12.0  # air around the head that is compared as well: it shows the outline
MOST_POINTS = 20_000


@dataclass(frozen=True)
class _Grey:
    """Intensities in a grid of their own, and its affine to RAS mm."""

    grey: FloatArray
    affine: Affine


@dataclass(frozen=True)
class HeadPoints:
    """A scan made ready: `grey` in [0, 1] with its affine, and points of its head, by step."""

    grey: FloatArray
    to_voxel: Affine
    points: Points
    values: NDArray[np.float64]
    centre: Points


def heads_of(volume: Volume) -> list[HeadPoints]:
    """The head at every step, thinned out once and smoothed for each."""
    bright = _thinned(brightness(volume.voxels), volume.affine)
    white = max(float(np.percentile(bright.grey, 99.5)), 1e-6)
    grey = np.minimum(bright.grey / np.float32(white), np.float32(1))
    return [_head(_Grey(grey, bright.affine), step) for step in STEPS_MM]


def _thinned(grey: FloatArray, affine: Affine) -> _Grey:
    """Means of blocks of voxels, each at most half of the finest step wide."""
    width = (STEPS_MM[-1] / 2 / np.array(column_lengths(affine))).astype(int)
    return _Grey(*block_means(grey, affine, width))


def _head(thin: _Grey, step: float) -> HeadPoints:
    """Points every `step` mm where the head is, and on its rim, with their grey."""
    spacing = np.array(column_lengths(thin.affine))
    smooth = ndimage.gaussian_filter(thin.grey, 0.4 * step / spacing)
    head = head_mask(smooth)
    to_voxel = inverse(thin.affine)
    if not head.any():
        return HeadPoints(smooth, to_voxel, np.empty((0, 3)), np.empty(0), np.zeros(3))
    places = move(np.argwhere(head).astype(np.float64), thin.affine)
    low, high = places.min(axis=0) - RIM_MM, places.max(axis=0) + RIM_MM
    axes = [np.arange(low[n], high[n] + step, step) for n in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    in_head, inside = sample(head.astype(np.float32), to_voxel, grid.reshape(-1, 3), 0)
    near = ndimage.binary_dilation(
        (in_head > 0).reshape(grid.shape[:3]), iterations=round(RIM_MM / step)
    )
    points = grid.reshape(-1, 3)[near.ravel() & inside]
    points = points[:: 1 + len(points) // MOST_POINTS]
    values = sample(smooth, to_voxel, points, 1)[0]
    return HeadPoints(smooth, to_voxel, points, values, points.mean(axis=0))


def sample(
    grey: FloatArray, to_voxel: Affine, points: Points, order: Literal[0, 1]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values at points in RAS mm, and which of the points lie inside the scan."""
    voxels = move(points, to_voxel).T
    ends = np.array(grey.shape)[:, None] - 0.5
    inside = np.asarray(((voxels >= -0.5) & (voxels <= ends)).all(axis=0))
    values = ndimage.map_coordinates(grey, voxels, order=order, mode="nearest")
    return np.where(inside, values, 0.0), inside


STARTS = (-0.35, 0.0, 0.35)  # radians about each axis: a head may lie turned by 20 degrees
KEPT_STARTS = 3
LEAST_OVERLAP = 0.6  # share of the head's points that must lie inside the other scan
LEAST_SCORE = 0.9  # correlation: seven real heads, moved, gave 0.95 or more, two heads at most 0.88
MOST_DISAGREEMENT_MM = 3.0  # between the way there and the way back, at the head's surface
SCALE = np.array([0.1, 0.1, 0.1, 8.0, 8.0, 8.0])  # radians and mm that move a head about as far
FEWEST_POINTS = 200


@dataclass(frozen=True)
class Registration:
    """How one head lies over another.

    to_other: 4x4, RAS mm of the first scan to RAS mm of the other, a turn and a shift;
    score: normalised correlation of the heads' intensities, -1 to 1; disagreement_mm: how far
    apart, on the head, the way there and the way back are. Both say how good it is.
    """

    to_other: Affine
    score: float
    disagreement_mm: float

    @property
    def succeeded(self) -> bool:
        """Whether places in both scans may be compared."""
        return self.score >= LEAST_SCORE and self.disagreement_mm <= MOST_DISAGREEMENT_MM


def register(scan: Volume, other: Volume) -> Registration | None:
    """Lay `scan` over `other`, both FLAIR of one head; None where that makes no sense.

    Rigid, by normalised cross-correlation of smoothed intensities (Lewis, Fast Normalized
    Cross-Correlation, 1995) on points of the head, found with Levenberg-Marquardt steps from
    several turns, coarse to fine. Done in both directions, which must agree.
    """
    if not (scan.sides_known and other.sides_known) or scan.is_picture or other.is_picture:
        return None
    levels = list(zip(heads_of(scan), heads_of(other), strict=True))
    if any(len(head.points) < FEWEST_POINTS for pair in levels for head in pair):
        return None
    there = _align(levels)
    back = _align([(second, first) for first, second in levels], inverse(there))
    head = levels[-1][0]
    score = _correlation(there, head, levels[-1][1])
    return Registration(there, score, _disagreement(head.points, there, back))


def _align(levels: list[tuple[HeadPoints, HeadPoints]], start: Affine | None = None) -> Affine:
    """The transform of the first heads onto the second, from several starts or from one."""
    coarse, fine = levels
    if start is None:
        starts = _best_starts(*coarse)
        found = [_refine(each, *coarse) for each in starts]
        start = max(found, key=lambda each: _correlation(each, *coarse))
    return _refine(start, *fine)


def _best_starts(first: HeadPoints, second: HeadPoints) -> list[Affine]:
    """Centre on centre, turned about each axis: those that look best."""
    shift = second.centre - first.centre
    starts = [
        _transform(np.array([*angles, *shift]), first.centre)
        for angles in product(STARTS, repeat=3)
    ]
    starts.sort(key=lambda each: -_correlation(each, first, second))
    return starts[:KEPT_STARTS]


def _refine(start: Affine, first: HeadPoints, second: HeadPoints) -> Affine:
    def residuals(change: NDArray[np.float64]) -> NDArray[np.float64]:
        return _differences(_transform((change - 1) * SCALE, first.centre) @ start, first, second)

    # steps to differ by are relative: parameters lie around 1, not 0
    best = least_squares(
        residuals, np.ones(6), method="lm", diff_step=np.full(6, 0.02), ftol=1e-4, xtol=1e-3
    )
    return _transform((best.x - 1) * SCALE, first.centre) @ start


def _transform(six: NDArray[np.float64], centre: Points) -> Affine:
    """A turn about `centre` by a rotation vector (radians), then a shift (mm)."""
    transform: Affine = np.eye(4)
    transform[:3, :3] = Rotation.from_rotvec(six[:3]).as_matrix()
    transform[:3, 3] = centre + six[3:] - transform[:3, :3] @ centre
    return transform


def _differences(transform: Affine, first: HeadPoints, second: HeadPoints) -> NDArray[np.float64]:
    """Differences of the two heads at the first one's points, each brought to mean 0, length 1.

    The sum of their squares is 2 (1 - correlation).
    """
    values, inside = sample(second.grey, second.to_voxel, move(first.points, transform), 1)
    if inside.sum() < max(FEWEST_POINTS, LEAST_OVERLAP * len(inside)):
        return np.full(len(inside), np.sqrt(2 / len(inside)))  # as bad as no correlation at all
    return np.where(inside, _unit(first.values, inside) - _unit(values, inside), 0.0)


def _unit(values: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    centred = np.where(inside, values - values[inside].mean(), 0.0)
    unit: NDArray[np.float64] = centred / max(float(np.linalg.norm(centred)), 1e-9)
    return unit


def _correlation(transform: Affine, first: HeadPoints, second: HeadPoints) -> float:
    return 1.0 - float((_differences(transform, first, second) ** 2).sum()) / 2


def _disagreement(points: Points, there: Affine, back: Affine) -> float:
    """How far the points of a head are from where they were after going there and back, mm."""
    away = move(move(points, there), back) - points
    return float(np.percentile(np.linalg.norm(away, axis=1), 95))
