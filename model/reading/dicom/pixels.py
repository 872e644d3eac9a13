"""The pixels of DICOM frames, unpacked and rescaled."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from model.catalogue import text
from model.errors import UnreadableScan
from model.reading.dicom.decoders import pictures
from model.reading.dicom.files import read_whole
from model.reading.dicom.frames import Frame, frames_of, is_known, number_of, unknown_packing
from model.volume import FloatArray

TOLD = (  # what the choice, the place and the brightness of a series follow from
    *("Modality", "BodyPartExamined", "ImageType"),
    *("SeriesDescription", "ProtocolName", "ScanningSequence", "InversionTime", "EchoTime"),
    *("DiffusionBValue", "ContrastBolusAgent", "ImagePositionPatient", "ImageOrientationPatient"),
    *("PixelSpacing", "SliceThickness", "RescaleSlope", "RescaleIntercept"),
)


def stored_pixels(frames: Sequence[Frame]) -> list[FloatArray]:
    """Each (rows, columns) float32 as stored, before any rescaling; colours are averaged.

    What the header calls padding is no number (NaN). Each file is opened once, since to look for
    one frame a whole header must be read. Raises UnreadableScan when pixels are missing, damaged,
    or packed in a way that cannot be undone.
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
        numbers = [frame.index for frame in frames]
        unpacked = pictures(_source(frames[0]), indices=numbers, correct_unused_bits=False)
        return [_grey(pixels, frame) for pixels, frame in zip(unpacked, frames, strict=True)]
    except (UnreadableScan, MemoryError):
        raise
    except Exception as error:  # pydicom and the decoders below it raise many kinds
        raise UnreadableScan(_why_not(frames[0])) from error


def _grey(pixels: NDArray[Any], frame: Frame) -> FloatArray:
    used = _used_bits(pixels, frame.header)
    grey = np.array(used.mean(axis=2) if used.ndim == 3 else used, dtype=np.float32)
    if grey.shape != (int(frame.header.Rows), int(frame.header.Columns)):
        raise UnreadableScan(text("dicom.damaged_pixels"))
    if pixels.ndim == 2:
        grey[_padding(pixels, used, frame.header)] = np.nan
    return grey


def _used_bits(pixels: NDArray[Any], header: Dataset) -> NDArray[Any]:
    """The pixels without what stands in the bits above BitsStored: overlays, or nothing at all.

    Decoders leave these bits as they come, so all pixels are treated alike (PS3.5 8.1.1).
    """
    unused = 8 * pixels.dtype.itemsize - int(number_of(header, "BitsStored") or 0)
    if pixels.dtype.kind not in "iu" or not 0 < unused < 8 * pixels.dtype.itemsize:
        return pixels
    used: NDArray[Any] = np.right_shift(np.left_shift(pixels, unused), unused)
    return used


def _padding(pixels: NDArray[Any], used: NDArray[Any], header: Dataset) -> NDArray[np.bool_]:
    """Which pixels the scanner did not fill: PixelPaddingValue to PixelPaddingRangeLimit.

    The value may need more bits than are stored, and may be written with or without a sign
    whatever the pixels are (PS3.3 C.7.5.1.1.2).
    """
    value = number_of(header, "PixelPaddingValue")
    if value is None or pixels.dtype.kind not in "iu":
        return np.zeros(pixels.shape, np.bool_)
    limit = number_of(header, "PixelPaddingRangeLimit")
    bits, is_signed = 8 * pixels.dtype.itemsize, pixels.dtype.kind == "i"
    ends = (value, value if limit is None else limit)
    low, high = sorted(_as_stored(end, bits, is_signed) for end in ends)
    count = 1 << int(number_of(header, "BitsStored") or bits)
    least = -count // 2 if is_signed else 0
    compared = used if least <= low and high < least + count else pixels
    inside: NDArray[np.bool_] = (compared >= low) & (compared <= high)
    return inside


def _as_stored(value: float, bits: int, is_signed: bool) -> int:
    """A whole number as the pixels would hold it, in two's complement."""
    whole = int(value) % (1 << bits)
    return whole - (1 << bits) if is_signed and whole >= 1 << bits - 1 else whole


def plain_pixels(file: Path) -> NDArray[Any]:
    """Whole numbers (frames, rows, columns) as stored, and nothing else that a file may hide there:
    the bits above BitsStored are cleared, and padding is the header's own value throughout.

    Raises UnreadableScan where pixels are missing, damaged, in colour, or no whole numbers.
    """
    frames = frames_of(file)
    fault = next((frame.fault for frame in frames if frame.fault), "")
    if fault or not frames:
        raise UnreadableScan(fault or text("dicom.no_pixels"))
    try:
        numbers = [frame.index for frame in frames]
        unpacked = pictures(_source(frames[0]), indices=numbers, correct_unused_bits=False)
        return np.stack([_plain(each, frames[0].header) for each in unpacked])
    except (UnreadableScan, MemoryError):
        raise
    except Exception as error:  # pydicom and the decoders below it raise many kinds
        raise UnreadableScan(_why_not(frames[0])) from error


def _plain(pixels: NDArray[Any], header: Dataset) -> NDArray[Any]:
    if pixels.ndim != 2 or pixels.dtype.kind not in "iu":
        raise UnreadableScan(text("colour_picture"))
    used = _used_bits(pixels, header)
    padding = _padding(pixels, used, header)
    if not padding.any():
        return used
    value = int(number_of(header, "PixelPaddingValue") or 0)
    bits, is_signed = 8 * pixels.dtype.itemsize, pixels.dtype.kind == "i"
    return np.where(padding, _as_stored(value, bits, is_signed), used).astype(pixels.dtype)


def picture_digest(file: Path) -> str | None:
    """SHA-256 of what a DICOM file shows: pixels however packed, and what analyzing reads.

    Two exports of one image differ in bytes and often in every number, but not in this. "" for a
    file without pictures; None for one whose pixels cannot be unpacked: its bytes have to do.
    """
    try:
        frames = frames_of(file)
        if not frames:
            return ""
        if frames[0].fault:
            return None
        digest = hashlib.sha256()
        for frame in frames:
            told = [str(frame.header.get(tag, "")) for tag in TOLD]
            digest.update("\0".join(told).encode("utf-8", "surrogateescape"))
        for pixels in pictures(_source(frames[0])):
            digest.update(str(pixels.shape).encode())
            whole = pixels.dtype.kind in "iub"
            digest.update(pixels.astype("<i8" if whole else "<f8").tobytes())
        return digest.hexdigest()
    except MemoryError:
        raise
    except Exception:  # whatever is wrong is said by who reads the scan
        return None


def rescaled(pixels: FloatArray, header: Dataset) -> FloatArray:
    """(columns, rows) float32 in the header's own units: slope times pixel plus intercept.

    Padding stays no number.
    """
    slope = float(header.get("RescaleSlope", 1) or 1)
    values = pixels * slope + float(header.get("RescaleIntercept", 0) or 0)
    if np.isinf(values).any() or np.isnan(values).sum() > np.isnan(pixels).sum():
        raise UnreadableScan(text("dicom.not_numbers"))
    return np.ascontiguousarray(values.T, dtype=np.float32)


def filled_with_air(voxels: FloatArray) -> FloatArray:
    """A volume whose padding is as dark as the darkest hundredth of what is none.

    That is what counts as air elsewhere too; the very darkest voxel may be an odd one.
    """
    padding = np.isnan(voxels)
    if padding.all():
        raise UnreadableScan(text("dicom.all_padding"))
    if padding.any():
        voxels[padding] = np.percentile(voxels[~padding], 1)
    return voxels


def _source(frame: Frame) -> Path | Dataset:
    """What to unpack from: a deflated file is packed as a whole, and a bare data set names no
    packing, so each has to be read first."""
    is_deflated = frame.syntax == DeflatedExplicitVRLittleEndian
    return read_whole(frame.file) if frame.bare or is_deflated else frame.file


def _why_not(frame: Frame) -> str:
    if not is_known(frame.syntax):
        return unknown_packing(frame.syntax)
    if frame.syntax.is_encapsulated:
        return text("dicom.cannot_unpack", syntax=frame.syntax.name)
    return text("dicom.damaged_pixels")
