"""The box around what is marked, since most of a scan is empty."""

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
