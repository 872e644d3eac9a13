"""Where DICOM slices lie: their order in space, and the affine of the volume that they make.

DICOM counts in LPS; this file turns it into RAS, and nothing after it knows LPS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from model.catalogue import text
from model.errors import UnreadableScan
from model.reading.dicom.frames import Frame, Vector, whereabouts
from model.rules import INCOMPLETE
from model.volume import Affine, Note, note

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
TOLERANCE = 0.25  # share of the slice distance by which a slice may lie off its place
UNEVEN = 0.05  # the same, from which on it is told
MISSING_SHARE = 0.1  # of the slices may be missing, and no two beside each other


@dataclass(frozen=True)
class Placed:
    """Frames in spatial order, None where one is missing; affine: (column, row, slice) to RAS."""

    frames: tuple[Frame | None, ...]
    affine: Affine
    notes: tuple[Note, ...]


def place(frames: Sequence[Frame]) -> Placed:
    """Put frames of one size and direction in order. Raises UnreadableScan if they make no volume.

    DICOM PS3.3 C.7.6.2.1.1: ImageOrientationPatient gives the directions of a row and of a
    column, PixelSpacing the distance between rows first, ImagePositionPatient the first pixel.
    """
    all_told = [frame.place or whereabouts(frame.header) for frame in frames]
    told = all_told[0]
    normal = np.cross(told.along, told.down)
    places = np.array([each.first_pixel for each in all_told])
    order = np.argsort(places @ normal, kind="stable")
    places = places[order]
    if len(frames) == 1:
        slots, step = np.zeros(1, int), normal * _thickness(frames[0].header)
    else:
        slots = _slots(places @ normal)
        step = (places[-1] - places[0]) / slots[-1]
    off = places - places[0] - np.outer(slots, step)
    _check_straight(off, normal, step, min(told.row_mm, told.column_mm))
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = told.along * told.column_mm, told.down * told.row_mm
    affine[:3, 2], affine[:3, 3] = step, places[0]
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise UnreadableScan(text("dicom.wrong_place"))
    ordered: list[Frame | None] = [None] * (int(slots[-1]) + 1)
    for slot, number in zip(slots, order, strict=True):
        ordered[slot] = frames[number]
    notes = (*_missing(ordered), *_uneven(off @ normal, float(step @ normal)))
    return Placed(tuple(ordered), LPS_TO_RAS @ affine, notes)


def _thickness(header: Dataset) -> float:
    return float(header.get("SliceThickness") or header.get("SpacingBetweenSlices") or 1.0)


def _slots(heights: Vector) -> NDArray[np.int64]:
    """The number of each slice in an even stack, from 0; a number left out is a missing slice."""
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    if gaps.min() < 1e-3:
        raise UnreadableScan(text("dicom.same_place"))
    steps = np.rint(gaps / usual).astype(np.int64)
    missing = int((steps - 1).sum())
    count = len(heights) + missing
    off = np.abs(gaps - steps * usual).max() > TOLERANCE * usual
    if off or steps.max() > 2 or missing > MISSING_SHARE * count:
        raise UnreadableScan(text("dicom.slices_uneven"))
    return np.concatenate([[0], np.cumsum(steps)])


def _check_straight(off: Vector, normal: Vector, step: Vector, pixel_mm: float) -> None:
    """Slices may be shifted against each other evenly (a sheared stack), but not unevenly."""
    high = off @ normal
    aside = np.linalg.norm(off - np.outer(high, normal), axis=1)
    if np.abs(high).max() > TOLERANCE * abs(step @ normal) or aside.max() > pixel_mm:
        raise UnreadableScan(text("dicom.not_straight"))


def _missing(frames: list[Frame | None]) -> tuple[Note, ...]:
    gone = [str(number + 1) for number, frame in enumerate(frames) if frame is None]
    if not gone:
        return ()
    told = {"count": len(gone), "slices": ", ".join(gone), "total": len(frames)}
    return (note(INCOMPLETE, "slices_missing", **told),)


def _uneven(off: Vector, step: float) -> tuple[Note, ...]:
    """off: mm by which each slice lies off its even place, across the slices."""
    largest = float(np.abs(off).max())
    if largest <= UNEVEN * abs(step):
        return ()
    return (note("uneven_spacing", mm=largest),)
