"""Points in millimetres, and the 4x4 transforms that move them."""

from collections.abc import Callable, Iterable
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.volume import Affine, FloatArray

Points = NDArray[np.float64]
Shade = Callable[[NDArray[Any]], NDArray[Any]]


def move(points: NDArray[Any], transform: Affine) -> Points:
    """Points or voxel indices (n, 3), moved by a 4x4 transform."""
    moved: Points = points @ transform[:3, :3].T + transform[:3, 3]
    return moved


def inverse(transform: Affine) -> Affine:
    """The way back of a 4x4 transform."""
    return np.asarray(np.linalg.inv(transform), np.float64)


def block_means(
    voxels: NDArray[Any], affine: Affine, sizes: Any, shade: Shade = np.asarray
) -> tuple[FloatArray, Affine]:
    """Means of blocks of voxels, and the affine of their grid; odd ends are cut off evenly.

    affine: of the voxels to mm; sizes: of a block along each axis, in voxels, cut to the grid's;
    shade: what is done to the voxels of a slice before. Sums run along the axes, the last one
    first, so they are the same in whatever order the voxels are stored.
    """
    shape = np.array(voxels.shape)
    sizes = np.clip(sizes, 1, shape)
    counts = shape // sizes
    start = (shape - counts * sizes) // 2
    cut = voxels[tuple(slice(a, a + n) for a, n in zip(start, counts * sizes, strict=True))]
    means: FloatArray = np.empty(counts, np.float32)
    for index in range(counts[2]):
        first = index * sizes[2]
        slab = _sum(shade(cut[..., first + n]) for n in range(sizes[2]))
        rows = _sum(slab[n :: sizes[0]] for n in range(sizes[0]))
        means[..., index] = _sum(rows[:, n :: sizes[1]] for n in range(sizes[1]))
    means /= np.float32(sizes.prod())
    wider = affine.copy()
    wider[:3, :3] = affine[:3, :3] * sizes
    wider[:3, 3] += affine[:3, :3] @ (start + (sizes - 1) / 2)
    return means, wider


def _sum(parts: Iterable[NDArray[Any]]) -> FloatArray:
    """The parts added up one after the other, as float32."""
    return np.asarray(reduce(partial(np.add, dtype=np.float32), parts), np.float32)
