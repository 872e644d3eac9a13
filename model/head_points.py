"""A head made ready to be laid over another: smoothed grey, and points of it to compare."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.head import brightness, head_mask
from model.points import Points, block_means, inverse, move
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
