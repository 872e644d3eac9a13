"""Where the head is in a scan, and how bright its tissue is above the background."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

HEAD_LEVEL = 0.2  # of the bright end of the intensities: above it is head, below it is air
SAMPLED = 200_000  # voxels, about, by which the background is told


def sampled(voxels: FloatArray) -> FloatArray:
    """Some of the voxels, evenly spread in the order of their indices: float32 (n,)."""
    chosen = np.arange(0, voxels.size, max(1, voxels.size // SAMPLED))
    return voxels[np.unravel_index(chosen, voxels.shape)]  # never a copy of all in another order


def background(ordered: FloatArray) -> np.float32:
    """The intensity of air, from voxels in ascending order.

    It is the most common single value, if a fifth of the voxels have it and it is no brighter
    than the middle (air set to a constant, which is below zero in a z-scored scan); otherwise
    the darkest hundredth.
    """
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(starts, append=ordered.size)
    common = int(np.argmax(counts))
    value = ordered[starts[common]]
    is_air = counts[common] >= 0.2 * ordered.size and value <= np.median(ordered)
    return np.float32(value if is_air else np.percentile(ordered, 1))


def brightness(voxels: FloatArray) -> FloatArray:
    """Intensity above the background, never negative: float32, same shape."""
    bright: FloatArray = np.subtract(voxels, background(np.sort(sampled(voxels))))
    return np.maximum(bright, np.float32(0), out=bright)


def head_mask(bright: FloatArray) -> NDArray[np.bool_]:
    """Voxels of the head, bone and cavities left out: bool, same shape as `brightness` gave."""
    level = HEAD_LEVEL * float(np.percentile(bright.ravel(order="K"), 99.5))
    inside: NDArray[np.bool_] = bright > max(level, 0.0)
    return inside
