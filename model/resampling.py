"""Slices made larger or smaller: bilinear, antialiased where they become smaller.

A place's value is the mean of the pixels around it, weighted by a triangle as wide as a pixel of
the coarser of both grids to each side: what Pillow's BILINEAR does, as products with sparse
matrices, whose rows and columns can be left out where they are not wanted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from model.head import FloatArray


@dataclass(frozen=True)
class Resampling:
    """rows: (rows made, rows taken), columns likewise; float32."""

    rows: csr_array
    columns: csr_array

    def __call__(self, picture: FloatArray) -> FloatArray:
        """float32 (rows taken, columns taken) to float32 (rows made, columns made)."""
        half = self.rows @ np.ascontiguousarray(picture)
        made: FloatArray = (self.columns @ np.ascontiguousarray(half.T)).T
        return made


def weights(taken: int, made: int) -> csr_array:
    """How much each of `taken` pixels in a row counts in each of `made`: float32 (made, taken)."""
    scale = taken / made
    reach = max(scale, 1.0)
    middles = (np.arange(made) + 0.5) * scale
    first = np.floor(middles - reach).astype(int)
    pixels = first[:, None] + np.arange(int(np.ceil(2 * reach)) + 2)
    near = np.maximum(1 - np.abs(pixels + 0.5 - middles[:, None]) / reach, 0)
    near[(pixels < 0) | (pixels >= taken)] = 0
    near /= near.sum(axis=1, keepdims=True)
    place, column = np.nonzero(near)
    index: NDArray[np.int_] = pixels[place, column]
    return csr_array((near[place, column].astype(np.float32), (place, index)), (made, taken))
