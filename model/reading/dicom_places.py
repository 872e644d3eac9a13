"""Where DICOM slices lie: their order in space, and the affine of the volume that they make.

DICOM counts in LPS; this file turns it into RAS, and nothing after it knows LPS.
"""

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset

from model.errors import UnreadableScan
from model.volume import Affine

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
GAP_TOLERANCE = 0.25  # share of the slice distance by which one gap may differ from the others


def place(slices: list[FileDataset]) -> tuple[list[FileDataset], Affine]:
    """Slices in spatial order with the affine from (column, row, slice) to RAS mm.

    DICOM PS3.3 C.7.6.2.1.1: ImageOrientationPatient gives the directions of a row and of a
    column, PixelSpacing the distance between rows first, ImagePositionPatient the first pixel.
    """
    try:
        turn = np.array(slices[0].ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
        places = [np.array(image.ImagePositionPatient, dtype=np.float64) for image in slices]
        row_mm, column_mm = (float(value) for value in slices[0].PixelSpacing)
    except (AttributeError, TypeError, ValueError):
        raise UnreadableScan("The DICOM slices do not say where they lie.") from None
    _check_same(slices)
    along, down = turn
    normal = np.cross(along, down)
    order = np.argsort([float(place @ normal) for place in places], kind="stable")
    step = _step([places[n] for n in order], normal, slices[0])
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = along * column_mm, down * row_mm, step
    affine[:3, 3] = places[order[0]]
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise UnreadableScan("The DICOM slices' position is not valid.")
    return [slices[n] for n in order], LPS_TO_RAS @ affine


def _check_same(slices: list[FileDataset]) -> None:
    def frame(image: Dataset) -> tuple[int, int, tuple[float, ...], tuple[float, ...]]:
        turn = tuple(round(float(value), 3) for value in image.ImageOrientationPatient)
        spacing = tuple(round(float(value), 4) for value in image.PixelSpacing)
        return int(image.Rows), int(image.Columns), turn, spacing

    try:
        same = len({frame(image) for image in slices}) == 1
    except (AttributeError, TypeError, ValueError):
        same = False
    if not same:
        raise UnreadableScan("The DICOM slices differ in size or direction: not one volume.")


def _step(
    places: list[NDArray[np.float64]], normal: NDArray[np.float64], image: Dataset
) -> NDArray[np.float64]:
    """Vector (mm) from one slice to the next; gaps and doubled slices are refused."""
    if len(places) == 1:
        return normal * float(image.get("SliceThickness", 0) or 1.0)
    gaps = np.diff([float(place @ normal) for place in places])
    usual = float(np.median(gaps))
    if gaps.min() < 1e-3:
        raise UnreadableScan("Two DICOM slices lie at the same place.")
    if np.abs(gaps - usual).max() > GAP_TOLERANCE * usual:
        raise UnreadableScan("A DICOM slice is missing, or the slices are unevenly spaced.")
    step: NDArray[np.float64] = (places[-1] - places[0]) / (len(places) - 1)
    return step
