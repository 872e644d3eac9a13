"""Overlap of two masks, with numpy alone, so that training can run where nothing else is."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def dice(predicted: Mask, drawn: Mask) -> float:
    """Dice's coefficient, 2 |A and B| / (|A| + |B|), of two masks of one shape.

    Two empty masks agree: 1. Dice, Ecology 26 (1945) 297.
    """
    total = int(predicted.sum()) + int(drawn.sum())
    if total == 0:
        return 1.0
    return 2.0 * int((predicted & drawn).sum()) / total
