"""From any volume to the network's own axial grid and intensities, and back again.

The same code serves training and inference. The network's grid: slices from inferior to
superior, rows from anterior to posterior, columns from the patient's right to left, 1.5 mm
pixels, the head's middle in the middle; intensity is a multiple of the head's median.
"""

from dataclasses import dataclass

import nibabel.orientations as orientations
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.framing import STANDARD, Preparation
from model.head import brightness, head_mask
from model.volume import Affine, FloatArray, Kind, Scale, Volume

NEIGHBOUR_MM = 4.5
HEAD_SLICES = 32  # of a clinical scan whose neighbours stand NEIGHBOUR_MM apart, with its ends
WHITE = 4.0  # times the head's median: what is brighter counts as this bright
MOST_PIXELS = 1024  # of a whole resampled slice, whatever voxel size a file claims
PICTURE_FILL = 0.93  # share of the rows that the head takes in a picture without a scale

LPS = orientations.axcodes2ornt(("L", "P", "S"))


@dataclass(frozen=True)
class Grid:
    """How a prepared stack lies on its volume, so that a mask can be put back.

    to_lps: nibabel orientation transform from the file's axes to L, P, S, and `to_file` back.
    lps_shape: voxels along L, P, S; size: (rows, columns) of a resampled whole slice;
    corner: (row, column) of the network's window on it, negative where the window sticks out;
    window: its (rows, columns).
    """

    to_lps: NDArray[np.float64]
    to_file: NDArray[np.float64]
    lps_shape: tuple[int, int, int]
    size: tuple[int, int]
    corner: tuple[int, int]
    window: tuple[int, int]


@dataclass(frozen=True)
class Prepared:
    """slices: float32 (n, rows, columns) in [0, 1]; head: bool, same shape;
    step: how many slices away the neighbours are that the network sees with a slice."""

    slices: FloatArray
    head: NDArray[np.bool_]
    step: int
    grid: Grid


def prepare(volume: Volume, how: Preparation = STANDARD) -> Prepared:
    """Put a volume on the network's grid. Reads only voxels and affine; raises nothing."""
    to_lps, to_file = _orientation(volume.affine)
    voxels = orientations.apply_orientation(volume.voxels, to_lps)  # (L, P, S)
    stack = np.ascontiguousarray(voxels.transpose(2, 1, 0))  # (S, P, L): slice, row, column
    bright = brightness(stack)
    head = head_mask(bright)
    if how.pixel_mm is None:
        size, corner = (how.rows, how.columns), (0, 0)
    else:
        size, corner = _window_on_head(volume, to_lps, head, how)
    shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2])
    grid = Grid(to_lps, to_file, shape, size, corner, (how.rows, how.columns))
    slices = normalise(bright, head) if how.intensity == "head" else stretch(stack)
    return Prepared(
        to_window(slices, grid),
        to_window(head.astype(np.float32), grid) > 0.5,
        _neighbour_step(volume, to_lps, head),
        grid,
    )


def _window_on_head(
    volume: Volume, to_lps: NDArray[np.float64], head: NDArray[np.bool_], how: Preparation
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Size of a resampled whole slice, and the window's corner on it: (row, column) each."""
    rows, columns = _extent(head.any(axis=2).mean(axis=0)), _extent(head.any(axis=1).mean(axis=0))
    pixel = _pixel_size(head.shape, volume, to_lps, (rows, columns), how)
    size = _resampled_size(head.shape, volume, to_lps, pixel)
    middle = (
        _scaled_centre(rows, size[0], head.shape[1]),
        _scaled_centre(columns, size[1], head.shape[2]),
    )
    return size, (middle[0] - how.rows // 2, middle[1] - how.columns // 2)


def normalise(bright: FloatArray, head: NDArray[np.bool_]) -> FloatArray:
    """Scale so that the head's median is 1 / WHITE, and clip to [0, 1]. Same shape, float32."""
    level = float(np.median(bright[head])) if head.any() else 0.0
    if level <= 0:
        return np.zeros_like(bright)
    scaled: FloatArray = np.clip(bright / np.float32(level * WHITE), 0, 1)
    return scaled


def stretch(stack: FloatArray) -> FloatArray:
    """Each slice from its darkest to its brightest voxel to [0, 1]. Same shape, float32."""
    low = stack.min(axis=(1, 2), keepdims=True)
    reach = stack.max(axis=(1, 2), keepdims=True) - low
    stretched: FloatArray = (stack - low) / np.where(reach > 0, reach, np.float32(1))
    return stretched


def to_window(stack: FloatArray, grid: Grid) -> FloatArray:
    """Resample whole slices (n, P, L) bilinearly, antialiased, and cut the window out of them."""
    window = np.zeros((len(stack), *grid.window), np.float32)
    here, there = _overlap(grid)
    for target, source in zip(window, stack, strict=True):
        picture = Image.fromarray(source).resize(grid.size[::-1], Image.Resampling.BILINEAR)
        target[here] = np.asarray(picture)[there]
    return window


def from_window(window: FloatArray, grid: Grid) -> FloatArray:
    """Values on the network's grid (n, rows, columns) back on the file's own: shape (i, j, k).

    Outside the window the value is 0.
    """
    columns, rows, slices = grid.lps_shape
    stack = np.zeros((slices, rows, columns), np.float32)
    here, there = _overlap(grid)
    for target, source in zip(stack, window, strict=True):
        if not source.any():
            continue
        whole = np.zeros(grid.size, np.float32)
        whole[there] = source[here]
        target[:] = np.asarray(
            Image.fromarray(whole).resize((columns, rows), Image.Resampling.BILINEAR)
        )
    voxels: FloatArray = orientations.apply_orientation(stack.transpose(2, 1, 0), grid.to_file)
    return np.ascontiguousarray(voxels)


def _orientation(affine: Affine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mine = orientations.io_orientation(affine)
    return orientations.ornt_transform(mine, LPS), orientations.ornt_transform(LPS, mine)


def _lps_spacing(volume: Volume, to_lps: NDArray[np.float64]) -> tuple[float, float, float]:
    spacing = [0.0, 0.0, 0.0]
    for axis, target in enumerate(to_lps[:, 0]):
        spacing[int(target)] = volume.spacing[axis]
    return spacing[0], spacing[1], spacing[2]


def _extent(profile: NDArray[np.float64]) -> tuple[int, int]:
    """First and last place where the head's profile is above a tenth of its peak."""
    inside = np.flatnonzero(profile > 0.1 * profile.max()) if profile.size else profile
    return (int(inside[0]), int(inside[-1])) if inside.size else (0, profile.size - 1)


def _pixel_size(
    shape: tuple[int, ...],
    volume: Volume,
    to_lps: NDArray[np.float64],
    head: tuple[tuple[int, int], tuple[int, int]],
    how: Preparation,
) -> float:
    """Size of the network's pixel, in the volume's own unit of length.

    `how.pixel_mm`, or larger where the head would not fit; a picture without a scale is fitted.
    head: first and last row, first and last column of the head.
    """
    rows, columns = head
    column_mm, row_mm, _ = _lps_spacing(volume, to_lps)
    tall = (rows[1] - rows[0] + 1) * row_mm / how.rows
    wide = (columns[1] - columns[0] + 1) * column_mm / how.columns
    if volume.kind is Kind.IMAGE:
        return max(tall / PICTURE_FILL, wide)
    return max(
        how.pixel_mm or 0.0, tall, wide, max(shape[1] * row_mm, shape[2] * column_mm) / MOST_PIXELS
    )


def _resampled_size(
    shape: tuple[int, ...], volume: Volume, to_lps: NDArray[np.float64], pixel: float
) -> tuple[int, int]:
    column_mm, row_mm, _ = _lps_spacing(volume, to_lps)
    return max(1, round(shape[1] * row_mm / pixel)), max(1, round(shape[2] * column_mm / pixel))


def _scaled_centre(extent: tuple[int, int], size: int, length: int) -> int:
    return round((extent[0] + extent[1] + 1) / 2 * size / length)


def _overlap(grid: Grid) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The same rectangle twice: on the window, and on the whole resampled slice."""
    here, there = [], []
    for start, length, window in zip(grid.corner, grid.size, grid.window, strict=True):
        first, last = max(0, start), min(length, start + window)
        there.append(slice(first, max(first, last)))
        here.append(slice(first - start, max(first, last) - start))
    return (here[0], here[1]), (there[0], there[1])


def _neighbour_step(volume: Volume, to_lps: NDArray[np.float64], head: NDArray[np.bool_]) -> int:
    """Slices between neighbours: by distance where mm are declared, else by the head's height."""
    if volume.scale is Scale.DECLARED:
        return max(1, round(NEIGHBOUR_MM / _lps_spacing(volume, to_lps)[2]))
    tall = head.mean(axis=(1, 2))
    return max(1, round(int((tall > 0.1 * tall.max()).sum()) / HEAD_SLICES))
