"""Points in millimetres, and the 4x4 transforms that move them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.volume import Affine, FloatArray

Points = NDArray[np.float64]


def move(points: NDArray[Any], transform: Affine) -> Points:
    """Points or voxel indices (n, 3), moved by a 4x4 transform."""
    moved: Points = points @ transform[:3, :3].T + transform[:3, 3]
    return moved


def inverse(transform: Affine) -> Affine:
    """The way back of a 4x4 transform."""
    return np.asarray(np.linalg.inv(transform), np.float64)


def block_means(voxels: NDArray[Any], affine: Affine, sizes: Any) -> tuple[FloatArray, Affine]:
    """Means of blocks of voxels, and the affine of their grid; odd ends are cut off evenly.

    affine: of the voxels to mm; sizes: of a block along each axis, in voxels, cut to the grid's.
    """
    shape = np.array(voxels.shape)
    sizes = np.clip(sizes, 1, shape)
    counts = shape // sizes
    start = (shape - counts * sizes) // 2
    cut = voxels[tuple(slice(a, a + n) for a, n in zip(start, counts * sizes, strict=True))]
    pairs = [int(n) for both in zip(counts, sizes, strict=True) for n in both]
    means: FloatArray = cut.reshape(pairs).mean(axis=(1, 3, 5), dtype=np.float32)
    wider = affine.copy()
    wider[:3, :3] = affine[:3, :3] * sizes
    wider[:3, 3] += affine[:3, :3] @ (start + (sizes - 1) / 2)
    return means, wider
