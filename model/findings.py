"""What is said of a scan: size and side of each lesion, measured in mm from the affine alone."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.certainty import Trust
from model.diameters import InPlane, in_plane_diameters
from model.midplane import Midplane
from model.segmentation import CONNECTED_26
from model.volume import Affine, FloatArray, MaskArray, Note, slice_axis

ONE_SIDED = 0.75  # share of a lesion that must lie on one side to be called left or right


class Finding(StrEnum):
    """The answer in one word."""

    TUMOR = "tumor"
    NO_TUMOR = "no_tumor"
    NOT_JUDGED = "not_judged"


class Side(StrEnum):
    """The patient's own left and right."""

    LEFT = "left"
    RIGHT = "right"
    MIDLINE = "midline"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Lesion:
    """One 26-connected piece of a mask; lesions are numbered from 1, the largest first.

    centroid: RAS mm. largest_slice: index along the slice axis of the slice with most voxels.
    mean_probability: None for a mask that was given without probabilities.
    """

    number: int
    voxels: int
    volume_ml: float
    diameters: InPlane
    centroid: tuple[float, float, float]
    side: Side
    largest_slice: int
    mean_probability: float | None


@dataclass(frozen=True)
class Findings:
    """All that was found; `notes` are the doubts that came up on the way.

    trust: how sure the network is of a mask that it made itself, where that is known.
    """

    finding: Finding
    lesions: tuple[Lesion, ...] = ()
    notes: tuple[Note, ...] = ()
    trust: Trust | None = None

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

    A voxel's volume is |det| of the affine's linear part, which holds for oblique, flipped and
    sheared grids alike.
    """
    numbered = number_lesions(mask)
    lesions = []
    for number, box in enumerate(ndimage.find_objects(numbered), start=1):
        assert box is not None, "every lesion has a box"
        inside = numbered[box] == number
        local = _at_corner(affine, box)
        axis = slice_axis((mask.shape[0], mask.shape[1], mask.shape[2]), affine)
        weights = None if probability is None else probability[box][inside]
        lesions.append(
            _lesion(number, inside, local, axis, int(box[axis].start), midplane, weights)
        )
    return Findings(Finding.TUMOR if lesions else Finding.NO_TUMOR, tuple(lesions), notes)


def number_lesions(mask: MaskArray) -> NDArray[np.int32]:
    """The mask with its 26-connected pieces numbered from 1, the largest first."""
    pieces, count = ndimage.label(mask, CONNECTED_26)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    numbers = np.zeros(count + 1, np.int32)
    numbers[1 + np.argsort(-sizes, kind="stable")] = np.arange(1, count + 1)
    return np.asarray(numbers[pieces])


def _at_corner(affine: Affine, box: tuple[slice, ...]) -> Affine:
    """The affine of a box cut out of the grid."""
    local = affine.copy()
    local[:3, 3] += affine[:3, :3] @ [float(part.start) for part in box]
    return local


def _lesion(
    number: int,
    inside: NDArray[np.bool_],
    affine: Affine,
    axis: int,
    first_slice: int,
    midplane: Midplane | None,
    probability: FloatArray | None,
) -> Lesion:
    points = np.argwhere(inside) @ affine[:3, :3].T + affine[:3, 3]
    x, y, z = points.mean(axis=0)
    areas = inside.sum(axis=tuple({0, 1, 2} - {axis}))
    diameters = in_plane_diameters(inside, affine, axis)
    return Lesion(
        number,
        len(points),
        len(points) * abs(float(np.linalg.det(affine[:3, :3]))) / 1000,
        InPlane(diameters.longest, diameters.perpendicular, diameters.slice_index + first_slice),
        (float(x), float(y), float(z)),
        _side(points, midplane),
        int(areas.argmax()) + first_slice,
        None if probability is None else float(probability.mean()),
    )


def _side(points: NDArray[np.float64], midplane: Midplane | None) -> Side:
    if midplane is None:
        return Side.UNKNOWN
    distance = midplane.signed_distance(points)
    share_right = float((distance > 0).mean()) + float((distance == 0).mean()) / 2
    if share_right >= ONE_SIDED:
        return Side.RIGHT
    return Side.LEFT if share_right <= 1 - ONE_SIDED else Side.MIDLINE
