"""The one inner form of a scan: voxels, their place in RAS mm, their storage order, and doubts."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from model.catalogue import text
from model.intensity import FloatArray as FloatArray
from model.intensity import Levels, levels_of
from model.rules import AskedSeries
from model.rules import Kind as Kind

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


def note(code: str, sentence: str = "", /, **values: object) -> Note:
    """A doubt in the catalogue's words: those of its code, unless another sentence is named."""
    return Note(code, text(f"note.{sentence or code}", **values))


@dataclass(frozen=True)
class SeriesSeen:
    """One DICOM series of a study, or a part of one, and why it was not the one to analyze."""

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
    unfit: set by a reader that knows that this is nothing to analyze, such as a colour photo.
    series: of a DICOM study, all that was there, the chosen one among them.
    asked: which of them a person wanted, whether or not it could be read.
    sources: of a DICOM series, where each slice along the third axis came from; None for one
        that was missing and filled in.
    file_affine: the file's own affine, where a person's spacing stands in `affine`; else None.
    nifti_header: of a NIfTI file a header with its own geometry in the same bits, and no more, for
        masks on its grid; else empty.
    needs_copy: whether a program that reads plain NIfTI alone could misread the file.
    filled: the value far below all others that stood where no tissue is; None where there was none.
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
    asked: AskedSeries | None = None
    sources: tuple[SourceSlice | None, ...] = ()
    file_affine: Affine | None = None
    nifti_header: bytes = b""
    needs_copy: bool = False
    filled: float | None = None

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
        """True for fewer than FEW slices: analyzed slice by slice, without a volume."""
        return self.shape[self.slice_axis] < FEW

    @cached_property
    def levels(self) -> Levels:
        """How bright air, head and tissue are: asked by all that looks at the voxels, found once.

        The same in whatever order a file stores its voxels.
        """

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
        from nibabel import orientations  # who trains from a cache has no nibabel

        order = orientations.io_orientation(affine)
        turned = [0, 0, 0]
        for length, target in zip(shape, order[:, 0], strict=True):
            turned[int(target)] = length
        upright = affine @ orientations.inv_ornt_aff(order, shape)
        return Upright(order, (turned[0], turned[1], turned[2]), upright)

    def turn(self, voxels: NDArray[Voxel]) -> NDArray[Voxel]:
        """Voxels of the file (i, j, k), seen along R, A, S."""
        from nibabel import orientations

        turned: NDArray[Voxel] = orientations.apply_orientation(voxels, self.order)
        return turned

    def back(self, voxels: NDArray[Voxel]) -> NDArray[Voxel]:
        """Upright voxels in the file's own order."""
        from nibabel import orientations

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
