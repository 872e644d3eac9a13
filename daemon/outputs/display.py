"""A volume as people look at it: slices of its own plane, square pixels, radiological convention.

In radiological convention the patient's right is on the left of the picture, as if seen from
the feet; sagittal slices are shown with the nose to the left.
"""

from dataclasses import dataclass
from typing import TypeVar

import nibabel.orientations as orientations
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.head import brightness, head_mask
from model.volume import FloatArray, MaskArray, Volume

Value = TypeVar("Value", bound=np.generic)

# For each plane: where columns, rows and slices run to, and the letters at the picture's sides.
_PLANES = {
    "S": (("L", "P", "S"), ("R", "L")),
    "A": (("L", "I", "A"), ("R", "L")),
    "R": (("P", "I", "R"), ("A", "P")),
}


@dataclass(frozen=True)
class Display:
    """grey: uint8 and mask: bool, both (slices, rows, columns) with square pixels when shown
    at `aspect` (height of a pixel over its width); letters: left and right edge, or None;
    directions: where its columns and its rows run to, in RAS letters."""

    grey: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    aspect: float
    letters: tuple[str, str] | None
    directions: tuple[str, str]

    @property
    def areas(self) -> NDArray[np.int64]:
        """Marked pixels of each slice."""
        areas: NDArray[np.int64] = self.mask.sum(axis=(1, 2))
        return areas

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
        drawn = Image.fromarray(self.mask[index].astype(np.float32))
        inside: NDArray[np.bool_] = np.asarray(drawn.resize(size, Image.Resampling.BILINEAR)) >= 0.5
        return inside


def display(volume: Volume, mask: MaskArray | None) -> Display:
    """Turn a volume, and its mask if there is one, for looking at."""
    turn, (columns, rows, _), letters = _turn(volume)
    spacing = _turned_spacing(volume, turn)
    shown = np.zeros(volume.shape, np.uint8) if mask is None else mask
    return Display(
        _stack(_to_grey(volume.voxels), turn),
        _stack(shown, turn) > 0,
        spacing[1] / spacing[0],
        letters if volume.sides_known else None,
        (columns, rows),
    )


def turn_like(volume: Volume, values: FloatArray) -> FloatArray:
    """Values on the volume's grid as slices, rows, columns, in the order of its Display."""
    return _stack(values, _turn(volume)[0])


def _turn(volume: Volume) -> tuple[NDArray[np.float64], tuple[str, str, str], tuple[str, str]]:
    """For looking at the plane of acquisition: the orientation transform, where the axes run to
    after it, and the letters."""
    own = orientations.io_orientation(volume.affine)
    codes, letters = _PLANES["RAS"[int(own[volume.slice_axis, 0])]]
    return orientations.ornt_transform(own, orientations.axcodes2ornt(codes)), codes, letters


def _turned_spacing(volume: Volume, turn: NDArray[np.float64]) -> tuple[float, float, float]:
    spacing = [0.0, 0.0, 0.0]
    for axis, target in enumerate(turn[:, 0]):
        spacing[int(target)] = volume.spacing[axis]
    return spacing[0], spacing[1], spacing[2]


def _to_grey(voxels: FloatArray) -> NDArray[np.uint8]:
    """Black is the background, white the brightest half percent of the head."""
    bright = brightness(voxels)
    head = head_mask(bright)
    white = float(np.percentile(bright[head], 99.5)) if head.any() else 1.0
    grey: NDArray[np.uint8] = (np.clip(bright / np.float32(white or 1.0), 0, 1) * 255).astype(
        np.uint8
    )
    return grey


def _stack(array: NDArray[Value], turn: NDArray[np.float64]) -> NDArray[Value]:
    turned = orientations.apply_orientation(array, turn)  # (columns, rows, slices)
    return np.ascontiguousarray(turned.transpose(2, 1, 0))
