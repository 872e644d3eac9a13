"""The one inner form of a scan: voxels, their place in RAS millimetres, and what was doubtful."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.head import FloatArray as FloatArray
from model.levels import Levels, levels_of
from model.reading.kinds import Kind as Kind

MaskArray = NDArray[np.uint8]
Affine = NDArray[np.float64]

FEW = 5  # slices; fewer do not make a volume


class Scale(StrEnum):
    """How far lengths can be trusted: declared by the file, assumed to be mm, or not known."""

    DECLARED = "declared"
    ASSUMED = "assumed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Note:
    """One doubt about a scan: a stable `code` for machines, one plain `message` for people."""

    code: str
    message: str


@dataclass(frozen=True)
class SeriesSeen:
    """One DICOM series of a study, or a part of one, and why it was not the one to judge."""

    description: str
    number: int | None
    modality: str
    slices: int
    chosen: bool
    reason: str


@dataclass(frozen=True)
class SourceSlice:
    """Which picture of which DICOM file a slice was read from; frames count from 0."""

    file: Path
    frame: int


@dataclass(frozen=True)
class Scan:
    """The files of one scan, in the order in which they were dropped; nothing opened yet."""

    kind: Kind
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Volume:
    """A scan in memory.

    voxels: float32, shape (i, j, k), on the file's own grid, finite everywhere.
    affine: float64 4x4, voxel indices to RAS millimetres. A picture has the affine of
        pixels seen in radiological convention; `scale` and `sides_known` say not to trust it.
    slice_axis: the voxel axis across which the slices were acquired (the thickest spacing;
        the axial one where the grid is isotropic).
    unfit: set by a reader that knows that this is nothing to judge, such as a colour photo.
    series: of a DICOM study, all that was there, the chosen one among them.
    sources: of a DICOM series, where each slice along the third axis came from; None for one
        that was missing and filled in.
    file_affine: the file's own affine, where a person's spacing stands in `affine`; else None.
    """

    voxels: FloatArray
    affine: Affine
    kind: Kind
    scale: Scale
    sides_known: bool
    description: str = ""
    acquired_at: str | None = None
    unfit: Note | None = None
    notes: tuple[Note, ...] = ()
    series: tuple[SeriesSeen, ...] = ()
    sources: tuple[SourceSlice | None, ...] = ()
    file_affine: Affine | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along i, j and k."""
        i, j, k = self.voxels.shape
        return i, j, k

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance in mm between neighbours along i, j, k: the affine's column lengths."""
        return column_lengths(self.affine)

    @property
    def slice_axis(self) -> int:
        """Voxel axis across the plane of acquisition."""
        return slice_axis(self.shape, self.affine)

    @property
    def is_picture(self) -> bool:
        """True for fewer than FEW slices: judged slice by slice, without a volume."""
        return self.shape[self.slice_axis] < FEW

    @cached_property
    def levels(self) -> Levels:
        """How bright air, head and tissue are: asked by all that looks at the voxels, found once.

        The same in whatever order a file stores its voxels.
        """
        from model.upright import axial_stack  # which knows of affines from here

        return levels_of(axial_stack(self.voxels, self.affine))


def column_lengths(affine: Affine) -> tuple[float, float, float]:
    """Spacing (mm) along i, j, k of a 4x4 voxel-to-RAS affine, right for oblique grids too."""
    i, j, k = np.linalg.norm(affine[:3, :3], axis=0)
    return float(i), float(j), float(k)


def axial_axis(affine: Affine) -> int:
    """The voxel axis that runs closest to inferior-superior."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return int(np.argmax(np.abs(directions[2])))


def slice_axis(shape: tuple[int, int, int], affine: Affine) -> int:
    """The voxel axis across the plane of acquisition.

    Where one axis alone has fewer than FEW voxels, it is that one. Otherwise it is the axis of
    the thickest spacing, if that is a tenth thicker than the next; else the grid is taken as
    isotropic, and the axial axis is returned.
    """
    few = [axis for axis in range(3) if shape[axis] < FEW]
    if len(few) == 1:
        return few[0]
    spacing = np.array(column_lengths(affine))
    order = np.argsort(spacing)
    if spacing[order[2]] > 1.1 * spacing[order[1]]:
        return int(order[2])
    return axial_axis(affine)
