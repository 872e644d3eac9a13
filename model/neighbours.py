"""What the network sees of a slice: the slice between its two neighbours."""

import numpy as np
from numpy.typing import NDArray

from model.volume import FloatArray


def with_neighbours(slices: FloatArray, indices: NDArray[np.int64], step: int) -> FloatArray:
    """The network's input: (b, 3, rows, columns), each slice between the two `step` away.

    At the ends of the stack the last slice stands in for its missing neighbour.
    """
    last = len(slices) - 1
    around = np.stack([indices - step, indices, indices + step], axis=1)
    chosen: FloatArray = slices[np.clip(around, 0, last)]
    return chosen
