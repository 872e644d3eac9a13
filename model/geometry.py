"""Points and their 4x4 transforms in mm, boxes around voxels, and the overlap of two masks."""

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


def box_around(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The smallest box that holds all that is marked; an empty one for an empty mask."""
    box = [slice(None)] * mask.ndim
    for axis in np.argsort(np.abs(mask.strides))[::-1]:  # first where most can be left out at once
        others = tuple(each for each in range(mask.ndim) if each != axis)
        found = np.flatnonzero(mask[tuple(box)].any(axis=others))
        box[axis] = slice(found[0], found[-1] + 1) if found.size else slice(0)
    return tuple(box)


def box_of_places(places: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The smallest box of a grid of that shape between whose voxels places (axes, n) lie."""
    last = np.array(shape) - 1
    low = np.clip(np.floor(places.min(axis=1)).astype(int), 0, last)
    high = np.clip(np.ceil(places.max(axis=1)).astype(int), low, last)
    return tuple(slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))


Mask = NDArray[np.bool_]


def dice(predicted: Mask, drawn: Mask) -> float:
    """Dice's coefficient, 2 |A and B| / (|A| + |B|), of two masks of one shape.

    Two empty masks agree: 1. Dice, Ecology 26 (1945) 297.
    """
    total = int(predicted.sum()) + int(drawn.sum())
    if total == 0:
        return 1.0
    return 2.0 * int((predicted & drawn).sum()) / total


def with_neighbours(slices: FloatArray, indices: NDArray[np.int64], step: int) -> FloatArray:
    """The network's input: (b, 3, rows, columns), each slice between the two `step` away.

    At the ends of the stack the last slice stands in for its missing neighbour.
    """
    last = len(slices) - 1
    around = np.stack([indices - step, indices, indices + step], axis=1)
    chosen: FloatArray = slices[np.clip(around, 0, last)]
    return chosen
