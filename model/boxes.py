"""Boxes around what is looked at, since most of a scan is not."""

import numpy as np
from numpy.typing import NDArray


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
