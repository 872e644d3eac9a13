"""The pixels of DICOM frames, unpacked and rescaled."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import DeflatedExplicitVRLittleEndian

from model.catalogue import text
from model.errors import UnreadableScan
from model.reading.dicom.frames import Frame, frames_of
from model.volume import FloatArray

TOLD = (  # what the choice, the place and the brightness of a series follow from
    *("SeriesInstanceUID", "FrameOfReferenceUID", "Modality", "BodyPartExamined", "ImageType"),
    *("SeriesDescription", "ProtocolName", "ScanningSequence", "InversionTime", "EchoTime"),
    *("DiffusionBValue", "ContrastBolusAgent", "ImagePositionPatient", "ImageOrientationPatient"),
    *("PixelSpacing", "SliceThickness", "RescaleSlope", "RescaleIntercept"),
)


def stored_pixels(frames: Sequence[Frame]) -> list[FloatArray]:
    """Each (rows, columns) float32 as stored, before any rescaling; colours are averaged.

    Each file is opened once, since to look for one frame a whole header must be read. Raises
    UnreadableScan when pixels are missing, damaged, or packed in a way that cannot be undone.
    """
    by_file: dict[Path, list[int]] = {}
    for number, frame in enumerate(frames):
        by_file.setdefault(frame.file, []).append(number)
    found: dict[int, FloatArray] = {}
    for numbers in by_file.values():
        numbers.sort(key=lambda number: frames[number].index)
        found |= zip(numbers, _unpacked([frames[n] for n in numbers]), strict=True)
    return [found[number] for number in range(len(frames))]


def _unpacked(frames: list[Frame]) -> list[FloatArray]:
    """The frames of one file, in the order of their numbers."""
    if fault := next((frame.fault for frame in frames if frame.fault), ""):
        raise UnreadableScan(fault)
    try:
        pictures = iter_pixels(_source(frames[0]), indices=[frame.index for frame in frames])
        return [_grey(pixels, frame) for pixels, frame in zip(pictures, frames, strict=True)]
    except (UnreadableScan, MemoryError):
        raise
    except Exception as error:  # pydicom and the decoders below it raise many kinds
        raise UnreadableScan(_why_not(frames[0])) from error


def _grey(pixels: NDArray[Any], frame: Frame) -> FloatArray:
    grey = np.asarray(pixels.mean(axis=2) if pixels.ndim == 3 else pixels, dtype=np.float32)
    if grey.shape != (int(frame.header.Rows), int(frame.header.Columns)):
        raise UnreadableScan(text("dicom.damaged_pixels"))
    return grey


def picture_digest(file: Path) -> str | None:
    """SHA-256 of what a DICOM file shows: number, pixels however packed, and what analyzing reads.

    Two exports of one image differ in bytes but not in this. "" for a file without pictures;
    None for one whose pixels cannot be unpacked: its bytes have to do.
    """
    try:
        frames = frames_of(file)
        if not frames:
            return ""
        if frames[0].fault:
            return None
        digest = hashlib.sha256()
        for frame in frames:
            told = [frame.instance[0], *(str(frame.header.get(tag, "")) for tag in TOLD)]
            digest.update("\0".join(told).encode("utf-8", "surrogateescape"))
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
        raise UnreadableScan(text("dicom.not_numbers"))
    return np.ascontiguousarray(values.T, dtype=np.float32)


def _source(frame: Frame) -> Path | Dataset:
    """What to unpack from: a deflated file is packed as a whole, so it has to be read first."""
    is_deflated = frame.syntax == DeflatedExplicitVRLittleEndian
    return pydicom.dcmread(frame.file) if is_deflated else frame.file


def _why_not(frame: Frame) -> str:
    if frame.syntax.is_transfer_syntax and frame.syntax.is_encapsulated:
        return text("dicom.cannot_unpack", syntax=frame.syntax.name)
    return text("dicom.damaged_pixels")
