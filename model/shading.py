"""Intensities as the network takes them: by the head's median, or each slice by itself."""

import numpy as np

from model.head import FloatArray
from model.levels import Levels

WHITE = 4.0  # times the head's median: what is brighter counts as this bright


def normalise(picture: FloatArray, levels: Levels) -> FloatArray:
    """Scale so that the head's median is 1 / WHITE, and clip to [0, 1]. Same shape, float32."""
    if levels.middle <= 0:
        return np.zeros_like(picture)
    scaled: FloatArray = levels.bright(picture)
    scaled /= np.float32(levels.middle * WHITE)
    return np.minimum(scaled, np.float32(1), out=scaled)


def stretch(stack: FloatArray) -> FloatArray:
    """Each slice from its darkest to its brightest voxel to [0, 1]. Same shape, float32.

    stack: a slice, or slices along the first axis.
    """
    low = stack.min(axis=(-2, -1), keepdims=True)
    reach = stack.max(axis=(-2, -1), keepdims=True) - low
    stretched: FloatArray = (stack - low) / np.where(reach > 0, reach, np.float32(1))
    return stretched
