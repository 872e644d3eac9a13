"""Does a scan show a whole head, with its skull? Seen from its sections: no header has to tell it.

A whole head begins and ends small: no outermost section is two thirds of the largest one.
Downwards that does not hold, since a neck is as wide as a head. There the height tells, where the
file declares millimetres; else the tissue: half-way up a head the lowest slice is all brain, while
at the base of the skull bone, air and muscle lie beside each other.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.inference.preprocessing import Prepared, extent, lps_spacing
from model.intensity import WHITE
from model.rules import INCOMPLETE
from model.volume import FloatArray, Note, Scale, Volume, note

CUT = 0.65  # of the largest section: an end with more is cut off; of whole heads at most 0.55
LOW = 0.55  # of the head's length: less is no head's height; of whole heads at least 0.64
SOLID = 0.45  # of the largest piece of tissue in any slice; in the lowest of whole heads up to 0.37
SMALL = 0.3  # of the largest section: a smaller one shows no skull to speak of
STANDARD_MM = 1.5  # a pixel of the standard preparation
TISSUE = 0.6  # times the head's median: brain and muscle, not bone, cavities and fluid
THINNED = 2  # every second pixel is enough to find large pieces
SKULL_MM = (3.0, 10.5)  # how deep below the skin the skull lies, on the network's grid
SKULL_SHARE = 0.035  # of what lies so deep is dark: of stripped heads at most 0.03
UPPER = (0.45, 0.85)  # of the slices of a head, from below: there nothing else is dark at its rim
LOOKED_AT = 12  # of these slices
REACH = 2  # thinned pixels that a piece is eroded by, so that scalp and brain come apart


def why_incomplete(volume: Volume, prepared: Prepared) -> Note | None:
    """What of the head is missing; None where nothing is, or too few slices show it to tell.

    prepared: with the standard preparation, since lengths are measured in it.
    """
    area = prepared.head.sum(axis=(1, 2))
    if volume.is_picture or not area.any():
        return None
    if _ends(area)[1] > CUT:
        return note(INCOMPLETE, "cut_above")
    if any(max(_ends(_profile(prepared.head, axis))) > CUT for axis in (1, 2)):
        return note(INCOMPLETE, "cut_side")
    if volume.scale is Scale.DECLARED:
        height, length = _size(volume, prepared)
        return note(INCOMPLETE, "cut_height", mm=height) if height < LOW * length else None
    solid = np.array([_largest_piece(picture) for picture in prepared.slices])
    is_brain = solid[extent(area)[0]] > SOLID * solid.max()
    return note(INCOMPLETE, "cut_below") if is_brain else None


def has_skull(prepared: Prepared) -> bool:
    """Whether bone lies below the skin: False for a head of which a program left the brain alone.

    Bone is dark in FLAIR. prepared: with the standard preparation, or another with its pixels; its
    millimetres need not be true, since a head is wide enough for that.
    """
    head = prepared.head
    area = head.sum(axis=(1, 2))
    shown = np.flatnonzero(area > SMALL * area.max()) if area.any() else area[:0]
    if len(shown) > 2:
        shown = shown[int(UPPER[0] * len(shown)) : int(UPPER[1] * len(shown)) + 1]
    dark = deep = 0
    for picture in head[shown[:: max(1, len(shown) // LOOKED_AT)]]:
        inside = np.pad(picture, 1)
        outline = ndimage.binary_opening(ndimage.binary_fill_holes(inside), iterations=REACH)
        depth = ndimage.distance_transform_edt(outline) * STANDARD_MM
        layer = (depth > SKULL_MM[0]) & (depth <= SKULL_MM[1])
        dark += int(np.count_nonzero(layer & ~inside))
        deep += int(np.count_nonzero(layer))
    return dark > SKULL_SHARE * deep


def _profile(head: NDArray[np.bool_], axis: int) -> NDArray[np.int_]:
    """Pixels of the head in each section across an axis of the stack."""
    area: NDArray[np.int_] = head.sum(axis=tuple(each for each in range(3) if each != axis))
    return area


def _ends(area: NDArray[np.int_]) -> tuple[float, float]:
    """The first and the last section of the head, as shares of its largest one."""
    first, last = extent(area)
    return float(area[first] / area.max()), float(area[last] / area.max())


def _size(volume: Volume, prepared: Prepared) -> tuple[float, float]:
    """mm of the head from bottom to top, and from back to front where it is longest."""
    grid = prepared.grid
    _, row_mm, slice_mm = lps_spacing(volume, grid.to_lps)
    bottom, top = extent(_profile(prepared.head, 0))
    front, back = extent(_profile(prepared.head, 1))
    pixel_mm = row_mm * grid.lps_shape[1] / grid.size[0]
    return (top - bottom + 1) * slice_mm, (back - front + 1) * pixel_mm


def _largest_piece(picture: FloatArray) -> int:
    """Pixels of the largest piece of tissue in a slice, eroded; 0 where there is none."""
    tissue = picture[::THINNED, ::THINNED] * WHITE > TISSUE
    pieces, count = ndimage.label(ndimage.binary_erosion(tissue, DISK))
    return int(np.bincount(pieces.ravel())[1:].max()) if count else 0


def _disk(radius: int) -> NDArray[np.bool_]:
    across = np.arange(-radius, radius + 1)
    inside: NDArray[np.bool_] = across**2 + across[:, None] ** 2 <= radius**2
    return inside


DISK = _disk(REACH)
