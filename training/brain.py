"""A crude brain mask, to show the network heads without skull as well; good for that alone."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def crude_brain(slices: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the brain is, roughly: bool (n, rows, columns), as wide as `slices`.

    Tissue between air and fat in brightness is eroded slice by slice until the dark bone parts
    it from the scalp, the largest piece is kept and grown back. The drawn tumor is always in.
    """
    lit = slices[slices > 20]
    level = float(np.median(lit)) if lit.size else 0.0
    tissue = (slices > 0.5 * level) & (slices < 2.2 * level)
    tissue |= mask
    disc = _disc(4)
    core = ndimage.binary_erosion(tissue, disc[None])
    pieces, count = ndimage.label(core)
    if not count:
        return np.zeros_like(mask)
    sizes = np.bincount(pieces.ravel())[1:]
    brain = ndimage.binary_dilation(pieces == 1 + int(np.argmax(sizes)), _disc(6)[None])
    brain = ndimage.binary_closing(brain, disc[None], border_value=0) | mask
    filled: NDArray[np.bool_] = np.stack([ndimage.binary_fill_holes(piece) for piece in brain])
    return filled


def _disc(radius: int) -> NDArray[np.bool_]:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    inside: NDArray[np.bool_] = x * x + y * y <= radius * radius
    return inside
