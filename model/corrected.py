"""A mask that a person corrected: read, and refused unless it is binary and on the scan's grid."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import MaskError
from model.reading.kinds import kind_by_name
from model.reading.nifti import read_nifti
from model.reading.pictures import read_picture
from model.volume import FloatArray, Kind, MaskArray, Volume

SAME_MM = 1e-3  # by how much two affines may differ, as in measure_mask
NEEDS_PNG = "The mask of a picture must be a PNG of the same size."
NEEDS_SERIES = "A DICOM SEG is only taken for a DICOM series; use NIfTI for this scan."
COLOURED = "The mask is a colour picture: it must be black and white."
OTHER_GRID = (
    "The corrected mask lies on another grid than the scan; start from the mask given here."
)
NOT_BINARY = "The file is not a mask: it must hold 0 and one other value, and nothing else."
ALL_MARKED = "The file is not a mask: all of it is marked."


def read_corrected(path: Path, volume: Volume) -> MaskArray:
    """A person's mask of `volume`: uint8 0/1 (i, j, k) on its grid; all 0 is allowed.

    NIfTI, a PNG for a picture, a BINARY or LABELMAP DICOM SEG for a DICOM series. Raises MaskError
    or UnreadableScan, with the reason.
    """
    if volume.kind is Kind.IMAGE:
        return _binary(_pixels(path, volume))
    if kind_by_name(path.name) is not Kind.DICOM:
        return _binary(_voxels(path, volume))
    if volume.kind is not Kind.DICOM:
        raise MaskError(NEEDS_SERIES)
    from model.reading.dicom_seg import read_seg  # highdicom: only who is given a SEG needs it

    return read_seg(path, volume)


def _pixels(path: Path, volume: Volume) -> FloatArray:
    if path.suffix.lower() != ".png":
        raise MaskError(NEEDS_PNG)
    drawn = read_picture(path)
    if drawn.unfit is not None:
        raise MaskError(COLOURED)
    if drawn.shape != volume.shape:
        raise MaskError(OTHER_GRID)
    return drawn.voxels


def _voxels(path: Path, volume: Volume) -> FloatArray:
    drawn = read_nifti(path)
    same_place = np.allclose(drawn.affine, volume.affine, rtol=0, atol=SAME_MM)
    if drawn.shape != volume.shape or not same_place:
        raise MaskError(OTHER_GRID)
    if any(note.code == "missing_voxels" for note in drawn.notes):
        raise MaskError(NOT_BINARY)
    return drawn.voxels


def _binary(values: NDArray[np.float32]) -> MaskArray:
    """0 and one value above it, as 0 and 1."""
    mark = values.max()
    marked = values == mark
    if mark == 0 and marked.all():
        return np.zeros(values.shape, np.uint8)
    if mark < 0 or not (marked | (values == 0)).all():
        raise MaskError(NOT_BINARY)
    if marked.all():
        raise MaskError(ALL_MARKED)
    return np.asarray(marked, np.uint8)
