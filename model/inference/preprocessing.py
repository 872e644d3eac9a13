"""From any volume to the network's own axial grid and intensities, and back again.

A place's value is the mean of the pixels around it, weighted by a triangle as wide as a pixel of
the coarser of both grids to each side: what Pillow's BILINEAR does, as products with sparse
matrices, whose rows and columns can be left out where they are not wanted.

The same code serves training and inference. The network's grid: slices from inferior to
superior, rows from anterior to posterior, columns from the patient's right to left, 1.5 mm
pixels, the head's middle in the middle; intensity is a multiple of the head's median.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import nibabel.orientations as orientations
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from model.intensity import normalise, stretch
from model.volume import Affine, FloatArray, Kind, Scale, Volume, axial_stack
from model.weights_config import PICTURE_FILL, STANDARD, Preparation


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


NEIGHBOUR_MM = 4.5
HEAD_SLICES = 32  # of a clinical scan whose neighbours stand NEIGHBOUR_MM apart, with its ends
MOST_PIXELS = 1024  # of a whole resampled slice, whatever voxel size a file claims
HALF = 0.5 + 1e-6  # of a resampled pixel that is head: what is just half is none

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
    stack, levels = axial_stack(volume.voxels, volume.affine), volume.levels
    head = np.stack([levels.head(picture) for picture in stack])
    if how.pixel_mm is None:
        size, corner = (how.rows, how.columns), (0, 0)
    else:
        size, corner = _window_on_head(volume, to_lps, head, how)
    shape = (stack.shape[2], stack.shape[1], stack.shape[0])
    grid = Grid(
        to_lps=to_lps,
        to_file=to_file,
        lps_shape=shape,
        size=size,
        corner=corner,
        window=(how.rows, how.columns),
    )
    shades = partial(normalise, levels=levels) if how.intensity == "head" else stretch
    return Prepared(
        to_window((shades(picture) for picture in stack), grid),
        to_window((inside.astype(np.float32) for inside in head), grid) > HALF,
        _neighbour_step(volume, to_lps, head),
        grid,
    )


def _window_on_head(
    volume: Volume, to_lps: NDArray[np.float64], head: NDArray[np.bool_], how: Preparation
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Size of a resampled whole slice, and the window's corner on it: (row, column) each."""
    rows, columns = extent(head.any(axis=2).mean(axis=0)), extent(head.any(axis=1).mean(axis=0))
    pixel = _pixel_size(head.shape, volume, to_lps, (rows, columns), how)
    size = _resampled_size(head.shape, volume, to_lps, pixel)
    middle = (
        _scaled_centre(rows, size[0], head.shape[1]),
        _scaled_centre(columns, size[1], head.shape[2]),
    )
    return size, (middle[0] - how.rows // 2, middle[1] - how.columns // 2)


def to_window(stack: Iterable[FloatArray], grid: Grid) -> FloatArray:
    """Resample whole slices (P, L) bilinearly, antialiased: as many windows, float32."""
    window = np.zeros((grid.lps_shape[2], *grid.window), np.float32)
    here, there = _overlap(grid)
    columns, rows, _ = grid.lps_shape
    resample = Resampling(
        weights(rows, grid.size[0])[there[0]], weights(columns, grid.size[1])[there[1]]
    )
    for target, source in zip(window, stack, strict=True):
        target[here] = resample(source)
    return window


def from_window(window: FloatArray, grid: Grid) -> FloatArray:
    """Values on the network's grid (n, rows, columns) back on the file's own: shape (i, j, k).

    Outside the window the value is 0.
    """
    columns, rows, _ = grid.lps_shape
    shape = [grid.lps_shape[int(target)] for target in grid.to_lps[:, 0]]
    voxels = np.zeros(
        shape, np.float32, order="F"
    )  # as files are, so that slices are written whole
    stack = orientations.apply_orientation(voxels, grid.to_lps).transpose(2, 1, 0)
    here, there = _overlap(grid)
    resample = Resampling(
        weights(grid.size[0], rows)[:, there[0]], weights(grid.size[1], columns)[:, there[1]]
    )
    for target, source in zip(stack, window, strict=True):
        if source.any():
            target[:] = resample(source[here])
    return voxels


def _orientation(affine: Affine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mine = orientations.io_orientation(affine)
    return orientations.ornt_transform(mine, LPS), orientations.ornt_transform(LPS, mine)


def lps_spacing(volume: Volume, to_lps: NDArray[np.float64]) -> tuple[float, float, float]:
    """Distance in mm between neighbours along L, P and S."""
    spacing = [0.0, 0.0, 0.0]
    for axis, target in enumerate(to_lps[:, 0]):
        spacing[int(target)] = volume.spacing[axis]
    return spacing[0], spacing[1], spacing[2]


def extent(profile: NDArray[Any]) -> tuple[int, int]:
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
    column_mm, row_mm, _ = lps_spacing(volume, to_lps)
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
    column_mm, row_mm, _ = lps_spacing(volume, to_lps)
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
        return max(1, round(NEIGHBOUR_MM / lps_spacing(volume, to_lps)[2]))
    tall = head.mean(axis=(1, 2))
    return max(1, round(int((tall > 0.1 * tall.max()).sum()) / HEAD_SLICES))
