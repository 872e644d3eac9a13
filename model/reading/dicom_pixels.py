"""The pixels of DICOM frames, unpacked and rescaled."""

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian

from model.errors import UnreadableScan
from model.reading.dicom_frames import CUT_OFF, Frame
from model.volume import FloatArray

DAMAGED = "The pixels of a DICOM slice are damaged or cut off."


def stored_pixels(frame: Frame) -> FloatArray:
    """(rows, columns) float32 as stored, before any rescaling; colours are averaged.

    Raises UnreadableScan when they are missing, damaged, or packed in a way that cannot be undone.
    """
    if frame.is_cut:
        raise UnreadableScan(CUT_OFF)
    try:
        is_deflated = frame.syntax == DeflatedExplicitVRLittleEndian  # as a whole, pixels and all
        source = pydicom.dcmread(frame.file) if is_deflated else frame.file
        pixels = pixel_array(source, index=frame.index)
    except MemoryError:
        raise
    except Exception as error:  # pydicom and the decoders below it raise many kinds
        raise UnreadableScan(_why_not(frame)) from error
    pixels = np.asarray(pixels.mean(axis=2) if pixels.ndim == 3 else pixels, dtype=np.float32)
    if pixels.shape != (int(frame.header.Rows), int(frame.header.Columns)):
        raise UnreadableScan(DAMAGED)
    return pixels


def rescaled(pixels: FloatArray, header: Dataset) -> FloatArray:
    """(columns, rows) float32 in the header's own units: slope times pixel plus intercept."""
    slope = float(header.get("RescaleSlope", 1) or 1)
    values = pixels * slope + float(header.get("RescaleIntercept", 0) or 0)
    if not np.isfinite(values).all():
        raise UnreadableScan("The pixels of a DICOM slice are not numbers.")
    return np.ascontiguousarray(values.T, dtype=np.float32)


def _why_not(frame: Frame) -> str:
    if frame.syntax.is_transfer_syntax and frame.syntax.is_encapsulated:
        return f"The pixels of a DICOM slice, packed as {frame.syntax.name}, cannot be unpacked."
    return DAMAGED
