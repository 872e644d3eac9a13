"""The plane between the patient's left and right, from the head or from the grid."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.extent import Extent, Span, brain_extent
from model.head import head_mask
from model.symmetry import blocks_of, find_mirror
from model.upright import Upright
from model.volume import Affine, FloatArray, Scale, Volume

HEAD_MM = 144.0  # height of a head in a scan whose millimetres are only assumed


@dataclass(frozen=True)
class Midplane:
    """A plane in RAS mm: `point` lies on it, unit vector `normal` looks to the right.

    brain: how far the brain reaches along the plane; None where too little of a head is there.
    """

    point: NDArray[np.float64]
    normal: NDArray[np.float64]
    brain: Extent | None = None

    def signed_distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance in mm of points (n, 3) in RAS mm: positive on the patient's right."""
        distance: NDArray[np.float64] = (points - self.point) @ self.normal
        return distance


RIGHT = np.array([1.0, 0.0, 0.0])


def midplane_of_head(volume: Volume) -> Midplane | None:
    """The plane that mirrors the head best onto itself; None where sides are not known.

    It turns and tips with the head (`model/symmetry.py`). It is where the middle should be: a falx
    that a tumor has pushed aside does not move it, and how far is not measured.
    """
    if not volume.sides_known:
        return None
    grid = Upright.of(volume.shape, volume.affine)
    voxels, levels, to_mm = grid.turn(volume.voxels), volume.levels, grid.affine[:3, :3]
    stretched = to_mm
    if volume.scale is not Scale.DECLARED:
        stretched = _with_a_heads_height(levels.bright(voxels[::4, ::4]), to_mm)
    blocks = blocks_of(voxels, stretched, levels)
    head = head_mask(blocks.field)
    if not head.any():
        return None
    mirror = find_mirror(blocks, head)
    middle = to_mm @ ((np.array(grid.shape) - 1) / 2) + grid.affine[:3, 3]
    to_stretched = stretched @ np.linalg.inv(to_mm)
    towards_right = mirror.normal @ to_stretched
    point = middle + towards_right * mirror.offset / (towards_right @ towards_right)
    extent = None if volume.is_picture else brain_extent(blocks.points(head), mirror.normal)
    return Midplane(
        point,
        towards_right / np.linalg.norm(towards_right),
        None if extent is None else _unstretched(extent, to_stretched, middle),
    )


def midplane_of_grid(shape: tuple[int, int, int], affine: Affine) -> Midplane | None:
    """The plane x = 0, if it lies in the middle fifth of the grid along x; else None."""
    ends = np.array(np.meshgrid(*[(-0.5, length - 0.5) for length in shape])).reshape(3, -1)
    x = affine[0, :3] @ ends + affine[0, 3]
    share = -x.min() / (x.max() - x.min())
    if not 0.4 <= share <= 0.6:
        return None
    return Midplane(np.zeros(3), RIGHT)


def _with_a_heads_height(bright: FloatArray, to_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Voxel steps with slices as far apart as makes the head HEAD_MM high.

    bright: some of its rows and columns. Where millimetres are only assumed, slices of 5 mm may be
    told as 1 mm apart.
    """
    tall = head_mask(bright).mean(axis=(0, 1))
    height = max(1, int((tall > 0.1 * tall.max()).sum())) * np.linalg.norm(to_mm[:, 2])
    stretched: NDArray[np.float64] = to_mm * np.array([1, 1, HEAD_MM / height])
    return stretched


def _unstretched(
    extent: Extent, to_stretched: NDArray[np.float64], middle: NDArray[np.float64]
) -> Extent:
    """The same extent for points in RAS mm, not in stretched mm from the scan's middle."""

    def span(of: Span) -> Span:
        direction = of.direction @ to_stretched
        shift = float(direction @ middle)
        return replace(of, direction=direction, first=of.first + shift, last=of.last + shift)

    return Extent(span(extent.to_front), span(extent.to_top))
