"""Where the head is in a scan, and how bright its tissue is above the background."""

import numpy as np
from numpy.typing import NDArray

from model.volume import FloatArray

HEAD_LEVEL = 0.2  # of the bright end of the intensities: above it is head, below it is air


def brightness(voxels: FloatArray) -> FloatArray:
    """Intensity above the background, never negative: float32, same shape.

    The background is the most common single value, if a fifth of the voxels have it and it is
    no brighter than the middle (air set to a constant, which is below zero in a z-scored
    scan); otherwise the darkest hundredth.
    """
    chosen = np.arange(0, voxels.size, max(1, voxels.size // 200_000))
    sample = voxels[np.unravel_index(chosen, voxels.shape)]  # never a copy of all in another order
    values, counts = np.unique(sample, return_counts=True)
    common = int(np.argmax(counts))
    is_air = counts[common] >= 0.2 * sample.size and values[common] <= np.median(sample)
    background = values[common] if is_air else np.percentile(sample, 1)
    bright: FloatArray = np.maximum(voxels - np.float32(background), np.float32(0))
    return bright


def head_mask(bright: FloatArray) -> NDArray[np.bool_]:
    """Voxels of the head, bone and cavities left out: bool, same shape as `brightness` gave."""
    level = HEAD_LEVEL * float(np.percentile(bright.ravel(order="K"), 99.5))
    inside: NDArray[np.bool_] = bright > max(level, 0.0)
    return inside
