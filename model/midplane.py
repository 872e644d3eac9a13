"""The plane between the patient's left and right, from the head or from the grid."""

from dataclasses import dataclass

import nibabel.orientations as orientations
import numpy as np
from numpy.typing import NDArray

from model.head import brightness, head_mask
from model.volume import Affine, Volume


@dataclass(frozen=True)
class Midplane:
    """A plane in RAS mm: `point` lies on it, unit vector `normal` looks to the right."""

    point: NDArray[np.float64]
    normal: NDArray[np.float64]

    def signed_distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance in mm of points (n, 3) in RAS mm: positive on the patient's right."""
        distance: NDArray[np.float64] = (points - self.point) @ self.normal
        return distance


RIGHT = np.array([1.0, 0.0, 0.0])


def midplane_of_head(volume: Volume) -> Midplane | None:
    """The sagittal plane through the middle of the head; None where sides are not known.

    Row by row on the axial slices, the middle between the head's first and last voxel; the
    plane goes through the median of these middles. It does not turn with a turned head.
    """
    if not volume.sides_known:
        return None
    head = head_mask(brightness(volume.voxels))
    order = orientations.io_orientation(volume.affine)
    to_ras = orientations.apply_orientation(head, order)  # (R, A, S)
    occupied = to_ras.any(axis=0)
    if not occupied.any():
        return None
    first = to_ras.argmax(axis=0)
    last = to_ras.shape[0] - 1 - to_ras[::-1].argmax(axis=0)
    width = np.where(occupied, last - first + 1, 0)
    wide = width > 0.5 * np.percentile(width[occupied], 95)
    middle = float(np.median((first + last)[wide])) / 2
    return Midplane(_right_of(volume, order, middle, wide), RIGHT)


def midplane_of_grid(shape: tuple[int, int, int], affine: Affine) -> Midplane | None:
    """The plane x = 0, if it lies in the middle fifth of the grid along x; else None."""
    ends = np.array(np.meshgrid(*[(-0.5, length - 0.5) for length in shape])).reshape(3, -1)
    x = affine[0, :3] @ ends + affine[0, 3]
    share = -x.min() / (x.max() - x.min())
    if not 0.4 <= share <= 0.6:
        return None
    return Midplane(np.zeros(3), RIGHT)


def _right_of(
    volume: Volume, order: NDArray[np.float64], middle: float, wide: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """RAS mm of the head's middle, given as index along R and the area (A, S) where it is wide."""
    anterior, superior = np.argwhere(wide).mean(axis=0)
    shape = np.array(volume.shape)
    voxel = np.zeros(3)
    for axis, (target, flip) in enumerate(order):
        index = (middle, anterior, superior)[int(target)]
        voxel[axis] = index if flip > 0 else shape[axis] - 1 - index
    point: NDArray[np.float64] = volume.affine[:3, :3] @ voxel + volume.affine[:3, 3]
    return point
