"""A mask on its grid, and by how much the grids of two masks differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.registration import Registration
from model.volume import Affine, MaskArray, column_lengths, slice_axis


@dataclass(frozen=True)
class Marked:
    """A mask (uint8 0/1, i, j, k) with its affine to RAS mm."""

    mask: MaskArray
    affine: Affine


def spacing_ratio(first: Marked, second: Marked) -> float:
    """The larger over the smaller of two spacings: the worse of in-plane and across it."""
    pairs = zip(spacings(first), spacings(second), strict=True)
    return max(max(one, other) / min(one, other) for one, other in pairs)


def spacings(marked: Marked) -> tuple[float, float]:
    """Spacing in mm in the plane of acquisition (geometric mean) and across it."""
    lengths = list(column_lengths(marked.affine))
    across = lengths.pop(_axis(marked))
    return float(np.sqrt(lengths[0] * lengths[1])), across


def degrees_between(old: Marked, new: Marked, in_line: Registration | None) -> float:
    """Angle between the planes of acquisition, in the head's own terms where it is in line."""
    first, second = _normal(old), _normal(new)
    if in_line is not None:
        second = in_line.to_other[:3, :3] @ second
    return float(np.degrees(np.arccos(np.clip(abs(first @ second), 0, 1))))


def _normal(marked: Marked) -> NDArray[np.float64]:
    """Unit vector in RAS at right angles to both in-plane axes."""
    along = np.delete(marked.affine[:3, :3], _axis(marked), axis=1)
    normal = np.cross(along[:, 0], along[:, 1])
    unit: NDArray[np.float64] = normal / np.linalg.norm(normal)
    return unit


def _axis(marked: Marked) -> int:
    i, j, k = marked.mask.shape
    return slice_axis((i, j, k), marked.affine)
