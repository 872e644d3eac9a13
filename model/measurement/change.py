"""What changed between two scans of one patient: sizes, and which lesions are new or gone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.geometry import inverse, move
from model.measurement.findings import number_lesions
from model.measurement.repeatability import ALIKE_DEGREES, ALIKE_RATIO, Repeatability
from model.registration.rigid import Registration
from model.rules import ChangeRules
from model.volume import Affine, MaskArray, column_lengths, slice_axis


@dataclass(frozen=True)
class Marked:
    """A mask (uint8 0/1, i, j, k) with its affine to RAS mm."""

    mask: MaskArray
    affine: Affine


def spacing_ratio(first: Marked, second: Marked) -> float:
    """The larger over the smaller of two spacings: the worse of in-plane and across it."""
    pairs = zip(spacings(first), spacings(second), strict=True)
    return max(max(one, other) / min(one, other) for one, other in pairs)


def spacings(marked: Marked) -> tuple[float, float]:
    """Spacing in mm in the plane of acquisition (geometric mean) and across it."""
    lengths = list(column_lengths(marked.affine))
    across = lengths.pop(_axis(marked))
    return float(np.sqrt(lengths[0] * lengths[1])), across


def degrees_between(old: Marked, new: Marked, in_line: Registration | None) -> float:
    """Angle between the planes of acquisition, in the head's own terms where it is in line."""
    first, second = _normal(old), _normal(new)
    if in_line is not None:
        second = in_line.to_other[:3, :3] @ second
    return float(np.degrees(np.arccos(np.clip(abs(first @ second), 0, 1))))


def _normal(marked: Marked) -> NDArray[np.float64]:
    """Unit vector in RAS at right angles to both in-plane axes."""
    along = np.delete(marked.affine[:3, :3], _axis(marked), axis=1)
    normal = np.cross(along[:, 0], along[:, 1])
    unit: NDArray[np.float64] = normal / np.linalg.norm(normal)
    return unit


def _axis(marked: Marked) -> int:
    i, j, k = marked.mask.shape
    return slice_axis((i, j, k), marked.affine)


MONTH_DAYS = 30.0
INSIDE_SHARE = 0.5  # of a lesion that must lie in the other scan's grid to be missed there


@dataclass(frozen=True)
class Measured:
    """What a scan is compared by: its sizes, and how they were come by.

    volume_ml: of all lesions; longest_mm: the longest diameter of any lesion, 0 without one;
    volume_range: ml, None where it is not known; judged_by: what two analyses must share;
    declared: whether the file declares its mm; marked: None where the mask cannot be had;
    corrected: whether a person drew the mask, whatever analyzed before; incomplete: whether a
    part of the head is not there.
    """

    volume_ml: float
    longest_mm: float
    volume_range: tuple[float, float] | None
    analyzed_by: tuple[object, ...]
    declared: bool
    marked: Marked | None
    corrected: bool = False
    incomplete: bool = False


@dataclass(frozen=True)
class Change:
    """From the earlier scan to the later one. None where it is not known.

    Percent are of the earlier value: None where that is 0, or where the two were measured
    differently. new_lesions: numbers of lesions in
    the later scan that the earlier one has not; gone_lesions: the other way round.
    differs: in what the two were measured differently: "scale", "spacing", "plane", "network",
    "corrected" if a person corrected the mask of one of them alone, or "incomplete".
    to_earlier: 4x4, RAS mm of the later scan to those of the earlier one.
    ranges_overlap: whether both volumes may be the same, as far as their ranges tell.
    earlier_ml: volume of the earlier scan.
    repeat_range_ml: between which volumes the earlier scan, measured again, would lie; None where
    that was not measured, and for scans that cannot be compared.
    """

    days: float
    volume_ml: float
    volume_percent: float | None
    longest_mm: float
    longest_percent: float | None
    volume_ml_per_30_days: float | None
    new_lesions: tuple[int, ...] | None
    gone_lesions: tuple[int, ...] | None
    differs: tuple[str, ...]
    to_earlier: Affine | None
    ranges_overlap: bool | None
    earlier_ml: float
    repeat_range_ml: tuple[float, float] | None

    @property
    def registered(self) -> bool:
        """Whether the two heads were registered."""
        return self.to_earlier is not None

    @property
    def comparable(self) -> bool:
        """False when it was measured differently."""
        return not self.differs


def compare(
    earlier: Measured,
    later: Measured,
    days: float,
    registration: Registration | None,
    rules: ChangeRules,
    repeatability: Repeatability | None = None,
) -> Change:
    """The change over `days`; registration: RAS mm of the later scan to those of the earlier.

    repeatability: of the network that marked both; None where it is not known.

    Without a mask, or with a registration that did not succeed, only numbers are compared.
    Growth per 30 days is the plain difference quotient; None if measured differently.
    """
    in_line = registration if registration is not None and registration.succeeded else None
    differs = _differences(earlier, later, in_line, rules)
    grown = later.volume_ml - earlier.volume_ml
    lengthened = later.longest_mm - earlier.longest_mm
    tells_rate = days >= rules.shortest_days and not differs
    new_ones, gone_ones = _unmatched(earlier, later, in_line, rules)
    return Change(
        days=days,
        volume_ml=grown,
        volume_percent=None if differs else _percent(grown, earlier.volume_ml),
        longest_mm=lengthened,
        longest_percent=None if differs else _percent(lengthened, earlier.longest_mm),
        volume_ml_per_30_days=grown / days * MONTH_DAYS if tells_rate else None,
        new_lesions=new_ones,
        gone_lesions=gone_ones,
        differs=differs,
        to_earlier=None if in_line is None else in_line.to_other,
        ranges_overlap=_overlap(earlier.volume_range, later.volume_range),
        earlier_ml=earlier.volume_ml,
        repeat_range_ml=(
            repeatability.range_ml(earlier.volume_ml, _made_alike(earlier, later, in_line))
            if repeatability is not None and not differs
            else None
        ),
    )


def _made_alike(earlier: Measured, later: Measured, in_line: Registration | None) -> bool:
    """Whether both scans have the same voxels in the same plane, as far as can be told."""
    old, new = earlier.marked, later.marked
    if old is None or new is None:
        return False
    has_same_voxels = spacing_ratio(old, new) <= ALIKE_RATIO
    return has_same_voxels and degrees_between(old, new, in_line) <= ALIKE_DEGREES


def _percent(difference: float, before: float) -> float | None:
    return 100 * difference / before if before > 0 else None


def _overlap(first: tuple[float, float] | None, second: tuple[float, float] | None) -> bool | None:
    if first is None or second is None:
        return None
    return first[0] <= second[1] and second[0] <= first[1]


def _differences(
    earlier: Measured, later: Measured, in_line: Registration | None, rules: ChangeRules
) -> tuple[str, ...]:
    """In what the scans were measured differently; grids are compared where both are known."""
    old, new, found = earlier.marked, later.marked, []
    if not (earlier.declared and later.declared):
        found.append("scale")
    if old is not None and new is not None:
        if spacing_ratio(old, new) > rules.spacing_ratio:
            found.append("spacing")
        if degrees_between(old, new, in_line) > rules.plane_degrees:
            found.append("plane")
    if earlier.corrected != later.corrected:
        found.append("corrected")
    elif not later.corrected and earlier.analyzed_by != later.analyzed_by:
        found.append("network")
    if earlier.incomplete or later.incomplete:
        found.append("incomplete")
    return tuple(found)


def _unmatched(
    earlier: Measured,
    later: Measured,
    in_line: Registration | None,
    rules: ChangeRules,
) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """Numbers of the new lesions and of those that are gone; None where that is not known.

    Where one of the scans has no lesion at all, no registration is needed to say so.
    """
    old, new = earlier.marked, later.marked
    if old is None or new is None:
        return (() if later.volume_ml == 0 else None), (() if earlier.volume_ml == 0 else None)
    if in_line is None and old.mask.any() and new.mask.any():
        return None, None
    there: Affine = np.eye(4) if in_line is None else in_line.to_other
    near = max(rules.same_lesion_mm, spacings(old)[1] / 2, spacings(new)[1] / 2)
    return _missing(new, old, there, near), _missing(old, new, inverse(there), near)


def _missing(of: Marked, other: Marked, to_other: Affine, near_mm: float) -> tuple[int, ...]:
    """Lesions of one mask that come nowhere near a lesion of the other one.

    A lesion that the other scan did not picture is not missed there.
    """
    numbered = number_lesions(of.mask, of.affine)
    to_voxel = inverse(other.affine)
    away = _distances(other) if other.mask.any() else None
    found = []
    for number in range(1, int(numbered.max(initial=0)) + 1):
        inside = np.argwhere(numbered == number).astype(np.float64)
        voxels = move(move(move(inside, of.affine), to_other), to_voxel)
        ends = np.array(other.mask.shape) - 0.5
        pictured = ((voxels >= -0.5) & (voxels <= ends)).all(axis=1)
        if away is None:
            found.append(number)
        elif pictured.mean() >= INSIDE_SHARE:
            at = ndimage.map_coordinates(away, voxels[pictured].T, order=1, mode="nearest")
            if at.min() > near_mm:
                found.append(number)
    return tuple(found)


def _distances(marked: Marked) -> NDArray[np.float32]:
    """Distance in mm of every voxel's middle to the nearest marked one."""
    away = ndimage.distance_transform_edt(marked.mask == 0, column_lengths(marked.affine))
    return np.asarray(away, np.float32)
