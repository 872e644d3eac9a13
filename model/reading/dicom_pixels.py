"""The pixels of DICOM frames, unpacked and rescaled."""

import hashlib
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels, pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian

from model.errors import UnreadableScan
from model.reading.dicom_frames import CUT_OFF, Frame, frames_of
from model.volume import FloatArray

DAMAGED = "The pixels of a DICOM slice are damaged or cut off."


def stored_pixels(frame: Frame) -> FloatArray:
    """(rows, columns) float32 as stored, before any rescaling; colours are averaged.

    Raises UnreadableScan when they are missing, damaged, or packed in a way that cannot be undone.
    """
    if frame.is_cut:
        raise UnreadableScan(CUT_OFF)
    try:
        pixels = pixel_array(_source(frame), index=frame.index)
    except MemoryError:
        raise
    except Exception as error:  # pydicom and the decoders below it raise many kinds
        raise UnreadableScan(_why_not(frame)) from error
    pixels = np.asarray(pixels.mean(axis=2) if pixels.ndim == 3 else pixels, dtype=np.float32)
    if pixels.shape != (int(frame.header.Rows), int(frame.header.Columns)):
        raise UnreadableScan(DAMAGED)
    return pixels


def picture_digest(file: Path) -> str | None:
    """SHA-256 of what a DICOM file shows: its SOPInstanceUID and its pixels, however packed.

    Two exports of one image differ in bytes but not in this. "" for a file without pictures;
    None for one whose pixels cannot be unpacked: its bytes have to do.
    """
    try:
        frames = frames_of(file)
        if not frames:
            return ""
        if frames[0].is_cut:
            return None
        digest = hashlib.sha256(frames[0].instance[0].encode())
        for pixels in iter_pixels(_source(frames[0])):
            digest.update(str(pixels.shape).encode())
            whole = pixels.dtype.kind in "iub"
            digest.update(pixels.astype("<i8" if whole else "<f8").tobytes())
        return digest.hexdigest()
    except MemoryError:
        raise
    except Exception:  # whatever is wrong is said by who reads the scan
        return None


def rescaled(pixels: FloatArray, header: Dataset) -> FloatArray:
    """(columns, rows) float32 in the header's own units: slope times pixel plus intercept."""
    slope = float(header.get("RescaleSlope", 1) or 1)
    values = pixels * slope + float(header.get("RescaleIntercept", 0) or 0)
    if not np.isfinite(values).all():
        raise UnreadableScan("The pixels of a DICOM slice are not numbers.")
    return np.ascontiguousarray(values.T, dtype=np.float32)


def _source(frame: Frame) -> Path | Dataset:
    """What to unpack from: a deflated file is packed as a whole, so it has to be read first."""
    is_deflated = frame.syntax == DeflatedExplicitVRLittleEndian
    return pydicom.dcmread(frame.file) if is_deflated else frame.file


def _why_not(frame: Frame) -> str:
    if frame.syntax.is_transfer_syntax and frame.syntax.is_encapsulated:
        return f"The pixels of a DICOM slice, packed as {frame.syntax.name}, cannot be unpacked."
    return DAMAGED
