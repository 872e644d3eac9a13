"""What is said of a scan: size and place of each lesion, measured in mm from the affine alone."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from model.geometry import Points, box_around, move
from model.inference.confidence import Trust
from model.inference.segmentation import CONNECTED_26
from model.measurement.diameters import InPlane, in_plane_diameters
from model.measurement.location import Place, Side, place_of
from model.measurement.midline_shift import MidlineShift
from model.measurement.midplane import Midplane
from model.volume import Affine, FloatArray, MaskArray, Note, Upright, slice_axis

HALF_STEPS = np.concatenate([np.eye(3), -np.eye(3)]) / 2


def outermost(lesion: NDArray[np.bool_], affine: Affine) -> Points:
    """Corners (n, 3) in RAS mm of the convex hull of a lesion's half-level surface.

    lesion: bool (i, j, k), not empty. The surface passes half a voxel outside the outer voxels'
    middles, along each axis. What is outermost in any direction is among these corners.
    """
    voxels = _ends_of_rows(lesion)
    edge = (voxels[:, None] + HALF_STEPS).reshape(-1, 3)
    return move(edge[ConvexHull(edge).vertices], affine)


def longest_distance(corners: Points) -> float:
    """The 3D maximum diameter in mm: the largest distance between two points of the surface.

    corners: as `outermost` gives them. It is measured between outer edges in any direction, across
    slices too (the "maximum 3D diameter" of IBSI, Zwanenburg et al., Radiology 2020).
    """
    return float(pdist(corners).max())


def _ends_of_rows(lesion: NDArray[np.bool_]) -> NDArray[np.int_]:
    """Voxels (n, 3) that are first or last in their row along each of the three axes.

    No other voxel can be a corner of the convex hull.
    """
    outer = lesion.copy()
    for axis in range(3):
        length = lesion.shape[axis]
        place = np.expand_dims(np.arange(length), tuple({0, 1, 2} - {axis}))
        first = np.expand_dims(lesion.argmax(axis=axis), axis)
        last = length - 1 - np.expand_dims(np.flip(lesion, axis).argmax(axis=axis), axis)
        outer &= (place == first) | (place == last)
    return np.argwhere(outer)


__all__ = ["Finding", "Findings", "Lesion", "Side", "measure", "number_lesions"]


class Finding(StrEnum):
    """The answer in one word."""

    TUMOR = "tumor"
    NO_TUMOR = "no_tumor"
    NOT_ANALYZED = "not_judged"


@dataclass(frozen=True)
class Lesion:
    """One 26-connected piece of a mask; lesions are numbered from 1, the largest first.

    max_diameter_3d: mm. centroid: RAS mm. largest_slice: index along the slice axis of the slice
    with most voxels. mean_probability: None for a mask that was given without probabilities.
    """

    number: int
    voxels: int
    volume_ml: float
    diameters: InPlane
    max_diameter_3d: float
    centroid: tuple[float, float, float]
    place: Place
    largest_slice: int
    mean_probability: float | None

    @property
    def side(self) -> Side:
        """The side on which it lies."""
        return self.place.side


@dataclass(frozen=True)
class Findings:
    """All that was found; `notes` are the doubts that came up on the way.

    trust: how sure the network is of a mask that it made itself, where that is known. shift: of the
    brain's own midline, where the scan was looked at for it.
    """

    finding: Finding
    lesions: tuple[Lesion, ...] = ()
    notes: tuple[Note, ...] = ()
    trust: Trust | None = None
    shift: MidlineShift | None = None

    @property
    def voxels(self) -> int:
        """Voxels of all lesions together."""
        return sum(lesion.voxels for lesion in self.lesions)

    @property
    def volume_ml(self) -> float:
        """Volume of all lesions together, in ml (1000 mm3)."""
        return sum(lesion.volume_ml for lesion in self.lesions)


def measure(
    mask: MaskArray,
    affine: Affine,
    midplane: Midplane | None,
    probability: FloatArray | None = None,
    notes: tuple[Note, ...] = (),
) -> Findings:
    """Measure a binary mask (i, j, k) on the grid of `affine` (voxels to RAS mm).

    The volume is the number of voxels times |det| of the affine's linear part, which holds for
    oblique, flipped and sheared grids alike. All is measured on the upright grid, so that of two
    equal choices the same one counts in whatever order the voxels are stored.
    """
    grid = Upright.of(mask.shape, affine)
    numbered, whole = _number(grid.turn(mask))
    upright = None if probability is None else grid.turn(probability)
    lesions = []
    found = ndimage.find_objects(numbered) if numbered.size else []
    for number, own in enumerate(found, start=1):
        assert own is not None, "every lesion has a box"
        inside = numbered[own] == number
        box = tuple(
            slice(outer.start + part.start, outer.start + part.stop)
            for outer, part in zip(whole, own, strict=True)
        )
        certain = None if upright is None else float(upright[box][inside].mean())
        lesions.append(
            _lesion(number, inside, box=box, grid=grid, midplane=midplane, probability=certain)
        )
    return Findings(Finding.TUMOR if lesions else Finding.NO_TUMOR, tuple(lesions), notes)


def number_lesions(mask: MaskArray, affine: Affine) -> NDArray[np.int32]:
    """The mask (i, j, k) with its 26-connected pieces numbered from 1, the largest first.

    Of pieces with as many voxels, that goes first which begins further left, then further back.
    """
    grid = Upright.of(mask.shape, affine)
    numbered = np.zeros(grid.shape, np.int32)
    pieces, box = _number(grid.turn(mask))
    numbered[box] = pieces
    return grid.back(numbered)


def _number(mask: MaskArray) -> tuple[NDArray[np.int32], tuple[slice, ...]]:
    """The numbers in the box that holds them all, and that box."""
    box = box_around(mask > 0)
    pieces, count = ndimage.label(mask[box], CONNECTED_26)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    numbers = np.zeros(count + 1, np.int32)
    numbers[1 + np.argsort(-sizes, kind="stable")] = np.arange(1, count + 1)
    return numbers[pieces], box


def _lesion(
    number: int,
    inside: NDArray[np.bool_],
    box: tuple[slice, ...],
    grid: Upright,
    midplane: Midplane | None,
    probability: float | None,
) -> Lesion:
    """inside: bool, the lesion in its box of the upright grid."""
    affine = _at_corner(grid.affine, box)
    axis = slice_axis(grid.shape, grid.affine)
    points = move(np.argwhere(inside), affine)
    corners = outermost(inside, affine)
    x, y, z = points.mean(axis=0)
    areas = inside.sum(axis=tuple({0, 1, 2} - {axis}))
    diameters = in_plane_diameters(inside, affine, axis)
    first = int(box[axis].start)
    return Lesion(
        number=number,
        voxels=len(points),
        volume_ml=len(points) * abs(float(np.linalg.det(affine[:3, :3]))) / 1000,
        diameters=replace(
            diameters, slice_index=grid.file_index(axis, first + diameters.slice_index)
        ),
        max_diameter_3d=longest_distance(corners),
        centroid=(float(x), float(y), float(z)),
        place=place_of(points, corners, midplane),
        largest_slice=grid.file_index(axis, first + int(areas.argmax())),
        mean_probability=probability,
    )


def _at_corner(affine: Affine, box: tuple[slice, ...]) -> Affine:
    """The affine of a box cut out of the grid."""
    local = affine.copy()
    local[:3, 3] += affine[:3, :3] @ [float(part.start) for part in box]
    return local
