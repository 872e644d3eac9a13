"""A grid seen as if it were stored along R, A, S, so that the order of storage changes nothing."""

from dataclasses import dataclass
from typing import TypeVar

import nibabel.orientations as orientations
import numpy as np
from numpy.typing import NDArray

from model.volume import Affine

Voxel = TypeVar("Voxel", bound=np.generic)


@dataclass(frozen=True)
class Upright:
    """How a file's grid (i, j, k) becomes one whose axes run closest to R, A and S.

    order: nibabel's orientation of the file; shape, affine: of the upright grid, RAS mm.
    """

    order: NDArray[np.float64]
    shape: tuple[int, int, int]
    affine: Affine

    @staticmethod
    def of(shape: tuple[int, ...], affine: Affine) -> "Upright":
        """The upright form of a file's grid; its affine differs by exact flips and swaps."""
        order = orientations.io_orientation(affine)
        turned = [0, 0, 0]
        for length, target in zip(shape, order[:, 0], strict=True):
            turned[int(target)] = length
        upright = affine @ orientations.inv_ornt_aff(order, shape)
        return Upright(order, (turned[0], turned[1], turned[2]), upright)

    def turn(self, voxels: NDArray[Voxel]) -> NDArray[Voxel]:
        """Voxels of the file (i, j, k), seen along R, A, S."""
        turned: NDArray[Voxel] = orientations.apply_orientation(voxels, self.order)
        return turned

    def back(self, voxels: NDArray[Voxel]) -> NDArray[Voxel]:
        """Upright voxels in the file's own order."""
        upright = np.array([[0, 1], [1, 1], [2, 1]])
        to_file = orientations.ornt_transform(upright, self.order)
        turned: NDArray[Voxel] = orientations.apply_orientation(voxels, to_file)
        return turned

    def file_index(self, axis: int, index: int) -> int:
        """The file's own index of the slice `index` across the upright axis `axis`."""
        is_flipped = self.order[self.order[:, 0] == axis, 1][0] < 0
        return self.shape[axis] - 1 - index if is_flipped else index


def axial_stack(voxels: NDArray[Voxel], affine: Affine) -> NDArray[Voxel]:
    """The file's own memory seen as slices from inferior to superior, with rows from anterior to
    posterior and columns from the patient's right to left: a view, no copy."""
    turned = Upright.of(voxels.shape, affine).turn(voxels)
    stack: NDArray[Voxel] = turned[::-1, ::-1].transpose(2, 1, 0)
    return stack
