"""Masks that people drew for a scan: NIfTI, PNG or DICOM SEG, on the scan's own grid or refused."""

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from numpy.typing import NDArray

from model.catalogue import text
from model.errors import MaskError
from model.reading.images import read_picture
from model.reading.nifti import read_nifti
from model.reading.nifti_grid import lies_on
from model.rules import kind_by_name
from model.volume import FloatArray, Kind, MaskArray, Volume

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SAME = 1e-3
SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
MOST_SEGMENTS = 100
NOT_SEG, OTHER_SERIES = "mask.seg_unreadable", "mask.seg_elsewhere"


def read_seg(path: Path, volume: Volume) -> MaskArray:
    """All segments of a SEG together: uint8 0/1 (i, j, k) on the volume's grid.

    Slices without a frame are empty. Raises MaskError.
    """
    try:
        return _read(path, volume)
    except (MaskError, MemoryError):
        raise
    except Exception as error:  # highdicom and pydicom analyze a value only when it is asked for
        raise MaskError(text(NOT_SEG)) from error


def _read(path: Path, volume: Volume) -> MaskArray:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    if header.SOPClassUID not in SEG_CLASSES:
        raise MaskError(text(NOT_SEG))
    if header.SegmentationType == "FRACTIONAL":
        raise MaskError(text("mask.seg_fractions"))
    _, _, slices = volume.shape
    frames, segments = int(header.NumberOfFrames), len(header.SegmentSequence)
    fits = {int(header.Rows), int(header.Columns)} == set(volume.shape[:2])
    if not fits or segments > MOST_SEGMENTS or frames > slices * segments:
        raise MaskError(text(OTHER_SERIES))
    drawn = hd.seg.segread(path).get_volume(dtype=np.uint8)
    grid = hd.VolumeGeometry(TO_LPS @ volume.affine, volume.shape, "PATIENT")
    try:
        placed = drawn.match_geometry(grid, tol=SAME)
    except (RuntimeError, ValueError):
        raise MaskError(text(OTHER_SERIES)) from None
    marked = np.asarray(placed.array > 0)  # with an axis of segments, if there are several
    return np.asarray(marked.reshape(*volume.shape, -1).any(axis=3), np.uint8)


OTHER_GRID, NOT_BINARY = "mask.other_grid", "mask.not_binary"


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
        raise MaskError(text("mask.needs_series"))

    return read_seg(path, volume)


def _pixels(path: Path, volume: Volume) -> FloatArray:
    if path.suffix.lower() != ".png":
        raise MaskError(text("mask.needs_png"))
    drawn = read_picture(path)
    if drawn.unfit is not None:
        raise MaskError(text("mask.colour"))
    if drawn.shape != volume.shape:
        raise MaskError(text(OTHER_GRID))
    return drawn.voxels


def _voxels(path: Path, volume: Volume) -> FloatArray:
    drawn = read_nifti(path)
    if not lies_on(drawn, volume):
        raise MaskError(text(OTHER_GRID))
    if any(note.code == "missing_voxels" for note in drawn.notes):
        raise MaskError(text(NOT_BINARY))
    return drawn.voxels


def _binary(values: NDArray[np.float32]) -> MaskArray:
    """0 and one value above it, as 0 and 1."""
    mark = values.max()
    marked = values == mark
    if mark == 0 and marked.all():
        return np.zeros(values.shape, np.uint8)
    if mark < 0 or not (marked | (values == 0)).all():
        raise MaskError(text(NOT_BINARY))
    if marked.all():
        raise MaskError(text("mask.all_marked"))
    return np.asarray(marked, np.uint8)
