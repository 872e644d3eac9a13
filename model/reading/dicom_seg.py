"""A DICOM SEG that somebody drew on a series, as a mask on that series' grid."""

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom

from model.errors import MaskError
from model.volume import MaskArray, Volume

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SAME = 1e-3
SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
MOST_SEGMENTS = 100
NOT_SEG = "The file is not a DICOM SEG that can be read."
FRACTIONS = "The DICOM SEG holds probabilities: a mask must be BINARY."
OTHER_SERIES = "The DICOM SEG does not lie on the slices of this scan."


def read_seg(path: Path, volume: Volume) -> MaskArray:
    """All segments of a SEG together: uint8 0/1 (i, j, k) on the volume's grid.

    Slices without a frame are empty. Raises MaskError.
    """
    try:
        return _read(path, volume)
    except (MaskError, MemoryError):
        raise
    except Exception as error:  # highdicom and pydicom judge a value only when it is asked for
        raise MaskError(NOT_SEG) from error


def _read(path: Path, volume: Volume) -> MaskArray:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    if header.SOPClassUID not in SEG_CLASSES:
        raise MaskError(NOT_SEG)
    if header.SegmentationType == "FRACTIONAL":
        raise MaskError(FRACTIONS)
    _, _, slices = volume.shape
    frames, segments = int(header.NumberOfFrames), len(header.SegmentSequence)
    fits = {int(header.Rows), int(header.Columns)} == set(volume.shape[:2])
    if not fits or segments > MOST_SEGMENTS or frames > slices * segments:
        raise MaskError(OTHER_SERIES)
    drawn = hd.seg.segread(path).get_volume(dtype=np.uint8)
    grid = hd.VolumeGeometry(TO_LPS @ volume.affine, volume.shape, "PATIENT")
    try:
        placed = drawn.match_geometry(grid, tol=SAME)
    except (RuntimeError, ValueError):
        raise MaskError(OTHER_SERIES) from None
    marked = np.asarray(placed.array > 0)  # with an axis of segments, if there are several
    return np.asarray(marked.reshape(*volume.shape, -1).any(axis=3), np.uint8)
