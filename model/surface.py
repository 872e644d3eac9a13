"""The outermost points of a lesion in space: how long it is at most, and how far it reaches."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from model.points import Points, move
from model.volume import Affine

HALF_STEPS = np.concatenate([np.eye(3), -np.eye(3)]) / 2


def outermost(lesion: NDArray[np.bool_], affine: Affine) -> Points:
    """Corners (n, 3) in RAS mm of the convex hull of a lesion's half-level surface.

    lesion: bool (i, j, k), not empty. The surface passes half a voxel outside the outer voxels'
    middles, along each axis. What is outermost in any direction is among these corners.
    """
    voxels = _ends_of_rows(lesion)
    edge = (voxels[:, None] + HALF_STEPS).reshape(-1, 3)
    return move(edge[ConvexHull(edge).vertices], affine)


def longest_distance(corners: Points) -> float:
    """The 3D maximum diameter in mm: the largest distance between two points of the surface.

    corners: as `outermost` gives them. It is measured between outer edges in any direction, across
    slices too (the "maximum 3D diameter" of IBSI, Zwanenburg et al., Radiology 2020).
    """
    return float(pdist(corners).max())


def _ends_of_rows(lesion: NDArray[np.bool_]) -> NDArray[np.int_]:
    """Voxels (n, 3) that are first or last in their row along each of the three axes.

    No other voxel can be a corner of the convex hull.
    """
    outer = lesion.copy()
    for axis in range(3):
        length = lesion.shape[axis]
        place = np.expand_dims(np.arange(length), tuple({0, 1, 2} - {axis}))
        first = np.expand_dims(lesion.argmax(axis=axis), axis)
        last = length - 1 - np.expand_dims(np.flip(lesion, axis).argmax(axis=axis), axis)
        outer &= (place == first) | (place == last)
    return np.argwhere(outer)
