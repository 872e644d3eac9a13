"""A volume as people look at it: slices of its own plane, square pixels, radiological convention.

In radiological convention the patient's right is on the left of the picture, as if seen from
the feet; sagittal slices are shown with the nose to the left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import nibabel.orientations as orientations
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.intensity import Levels
from model.volume import Affine, FloatArray, MaskArray, Scale, Volume

Value = TypeVar("Value", bound=np.generic)

Letters = tuple[str, str, str, str]

# For each plane, by the axis across it: where columns, rows and slices run to, and the letters
# at the left, right, upper and lower edge.
_PLANES: dict[str, tuple[tuple[str, str, str], Letters]] = {
    "S": (("L", "P", "S"), ("R", "L", "A", "P")),
    "A": (("L", "I", "A"), ("R", "L", "S", "I")),
    "R": (("P", "I", "R"), ("A", "P", "S", "I")),
}
AXIAL, CORONAL, SAGITTAL = "S", "A", "R"
PLANES_BY_AXIS = {AXIAL: "axial", CORONAL: "coronal", SAGITTAL: "sagittal"}


@dataclass(frozen=True)
class Shades:
    """A scan's voxels, float32 (slices, rows, columns), as slices in grey: few of them are shown.

    Black is the background, white the brightest half percent of the head.
    """

    voxels: FloatArray
    levels: Levels

    @property
    def shape(self) -> tuple[int, ...]:
        """(slices, rows, columns)."""
        return self.voxels.shape

    def __len__(self) -> int:
        """How many slices there are."""
        return len(self.voxels)

    def __getitem__(self, index: int, /) -> NDArray[np.uint8]:
        """One of them, made now."""
        bright = self.levels.bright(self.voxels[index])
        bright /= np.float32(self.levels.white or 1.0)
        grey: NDArray[np.uint8] = (np.minimum(bright, 1) * 255).astype(np.uint8)
        return grey


@dataclass(frozen=True)
class Display:
    """grey: uint8, made slice by slice or all there, and mask: bool, both (slices, rows, columns)
    with square pixels when shown at `aspect` (height of a pixel over its width); letters: left,
    right, upper and lower edge, or None; directions: where its columns and its rows run to, in RAS
    letters; column_mm: width of a column, None where lengths are not known; to_pixels: float64
    4x4, from RAS mm to column, row and slice, whose middles are whole numbers."""

    grey: Shades | NDArray[np.uint8]
    mask: NDArray[np.bool_]
    aspect: float
    letters: Letters | None
    directions: tuple[str, str]
    column_mm: float | None
    to_pixels: Affine

    @cached_property
    def areas(self) -> NDArray[np.int64]:
        """Marked pixels of each slice."""
        return np.array([np.count_nonzero(area) for area in self.mask])

    def size(self, longest: int) -> tuple[int, int]:
        """(width, height) of a slice with square pixels whose longer side is `longest`."""
        _, rows, columns = self.grey.shape
        height = rows * self.aspect
        scale = longest / max(height, columns)
        return max(1, round(columns * scale)), max(1, round(height * scale))

    def picture(self, index: int, size: tuple[int, int]) -> Image.Image:
        """One slice in grey, resampled to `size`."""
        return Image.fromarray(self.grey[index]).resize(size, Image.Resampling.BICUBIC)

    def outline(self, index: int, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Where the marked area of a slice lies on a picture of `size`, smoothly enlarged."""
        return enlarged(self.mask[index], size)

    def place(self, point: Sequence[float], size: tuple[int, int]) -> tuple[float, float]:
        """Where a point in RAS mm lies on a picture of `size`, in its pixels."""
        column, row, _ = self.voxel(point)
        _, rows, columns = self.grey.shape
        return (column + 0.5) * size[0] / columns - 0.5, (row + 0.5) * size[1] / rows - 0.5

    def voxel(self, point: Sequence[float]) -> tuple[float, float, float]:
        """Column, row and slice of a point in RAS mm."""
        column, row, index = self.to_pixels[:3, :3] @ np.asarray(point) + self.to_pixels[:3, 3]
        return float(column), float(row), float(index)


def enlarged(area: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A marked area of a slice on a picture of `size`, with a smooth border."""
    drawn = Image.fromarray(area.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    inside: NDArray[np.bool_] = np.asarray(drawn) >= 0.5
    return inside


def display(
    volume: Volume, mask: MaskArray | None, plane: str | None = None, is_kept: bool = False
) -> Display:
    """Turn a volume, and its mask if there is one, for looking at.

    plane: AXIAL, CORONAL or SAGITTAL, along the voxel axes that come next to it; None for the
    plane of acquisition. is_kept: for many looks at it: all slices are made grey, and the volume is
    let go.
    """
    turn, (columns, rows, _), letters = _turn(volume, plane)
    spacing = _turned_spacing(volume, turn)
    shown = np.zeros(volume.shape, np.uint8) if mask is None else mask
    turned = volume.affine @ orientations.inv_ornt_aff(turn, volume.shape)
    shades = Shades(_stack(volume.voxels, turn), volume.levels)
    return Display(
        grey=np.stack([shades[index] for index in range(len(shades))]) if is_kept else shades,
        mask=_stack(shown > 0, turn),
        aspect=spacing[1] / spacing[0],
        letters=letters if volume.sides_known else None,
        directions=(columns, rows),
        column_mm=None if volume.scale is Scale.UNKNOWN else spacing[0],
        to_pixels=np.linalg.inv(turned),
    )


def turn_like(volume: Volume, values: NDArray[Value]) -> NDArray[Value]:
    """Values on the volume's grid as slices, rows, columns, in the order of its Display."""
    return _stack(values, _turn(volume)[0])


def _turn(
    volume: Volume, plane: str | None = None
) -> tuple[NDArray[np.float64], tuple[str, str, str], Letters]:
    """For looking at a plane: the orientation transform, where the axes run to after it, and
    the letters."""
    own = orientations.io_orientation(volume.affine)
    codes, letters = _PLANES[plane or "RAS"[int(own[volume.slice_axis, 0])]]
    return orientations.ornt_transform(own, orientations.axcodes2ornt(codes)), codes, letters


def _turned_spacing(volume: Volume, turn: NDArray[np.float64]) -> tuple[float, float, float]:
    spacing = [0.0, 0.0, 0.0]
    for axis, target in enumerate(turn[:, 0]):
        spacing[int(target)] = volume.spacing[axis]
    return spacing[0], spacing[1], spacing[2]


def _stack(array: NDArray[Value], turn: NDArray[np.float64]) -> NDArray[Value]:
    """A view (slices, rows, columns)."""
    turned: NDArray[Value] = orientations.apply_orientation(array, turn)  # (columns, rows, slices)
    return turned.transpose(2, 1, 0)
