"""The DICOM files of one scan, made anew without a name: `<series>/<picture>.dcm`.

A file is written whole or not at all: what may show a name in its picture is left out, and why is
told. Pixels are unpacked, since a packed picture may carry remarks of its own.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from daemon.outputs.deidentified.headers import Cleaner, first_time
from daemon.outputs.deidentified.kept_elements import PICTURES, Vocabulary
from daemon.outputs.tables import Hidden
from model.errors import UnreadableScan
from model.reading.dicom.files import is_dicom, read_header
from model.reading.dicom.pixels import plain_pixels
from model.rules import FlairRules

NAMED_BY = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
SHOWN = ("SCREEN", "CAPTURE", "PRESENTATION", "REPORT")  # of an ImageType: text in the picture


class LeftOut(StrEnum):
    """Why a file is not written."""

    NO_DICOM = "no DICOM files"
    NO_PICTURE = "no plain MR, CT or PET pictures"
    TEXT_INSIDE = "pictures with text in them, or screen captures"
    IN_COLOUR = "pictures in colour"
    DAMAGED = "files that cannot be read"


@dataclass(frozen=True)
class Sources:
    """How many files were written, and how many were left out, by reason."""

    written: int
    left_out: Counter[LeftOut]


def write_sources(
    files: Iterable[Path], patient: str, naming: Hidden, rules: FlairRules, folder: Path
) -> Sources:
    """Write what may leave of one patient's files below `folder`, which is made."""
    headers: dict[Path, Dataset] = {}
    left_out: Counter[LeftOut] = Counter()
    for file in files:
        found = _header(file)
        if isinstance(found, LeftOut):
            left_out[found] += 1
        else:
            headers[file] = found
    cleaner = Cleaner(naming, patient, first_time(headers.values()), Vocabulary(rules))
    written = 0
    for file, header in headers.items():
        try:
            _write(file, cleaner.clean(header), folder)
            written += 1
        except UnreadableScan:
            left_out[LeftOut.DAMAGED] += 1
    return Sources(written, left_out)


def _header(file: Path) -> Dataset | LeftOut:
    """The header of a picture that may leave, or why it may not."""
    try:
        if not is_dicom(file):
            return LeftOut.NO_DICOM
        header = read_header(file)
        return _why_not(header) or header
    except MemoryError:
        raise
    except Exception:  # pydicom raises many kinds on hostile bytes
        return LeftOut.DAMAGED


def _why_not(header: Dataset) -> LeftOut | None:
    """Burned-in text is not looked for: what the header says of it is believed."""
    if UID(str(header.get("SOPClassUID", ""))) not in PICTURES:
        return LeftOut.NO_PICTURE
    if not all(str(header.get(uid) or "").strip() for uid in NAMED_BY):
        return LeftOut.DAMAGED
    kinds = str(header.get("ImageType", "")).upper()
    burned_in = str(header.get("BurnedInAnnotation") or "NO").strip().upper()
    if burned_in != "NO" or "ConversionType" in header or any(word in kinds for word in SHOWN):
        return LeftOut.TEXT_INSIDE
    if header.get("SamplesPerPixel", 1) != 1:
        return LeftOut.IN_COLOUR
    return None


def _write(file: Path, cleaned: Dataset, folder: Path) -> None:
    """Raises UnreadableScan for pixels that cannot be unpacked."""
    pixels = plain_pixels(file)
    bits = 8 * pixels.dtype.itemsize
    cleaned.BitsAllocated, cleaned.BitsStored, cleaned.HighBit = bits, bits, bits - 1
    cleaned.PixelRepresentation = int(pixels.dtype.kind == "i")
    cleaned.Rows, cleaned.Columns, cleaned.SamplesPerPixel = *pixels.shape[1:], 1
    raw = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    cleaned.add_new("PixelData", "OW", raw + bytes(len(raw) % 2))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = cleaned.SOPClassUID
    meta.MediaStorageSOPInstanceUID = cleaned.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    cleaned.file_meta = meta
    series = folder / str(cleaned.SeriesInstanceUID)
    series.mkdir(parents=True, exist_ok=True)
    target, again = series / f"{cleaned.SOPInstanceUID}.dcm", 1
    while target.exists():  # two files with one number: both stay, as they came
        target, again = series / f"{cleaned.SOPInstanceUID}-{again}.dcm", again + 1
    cleaned.save_as(target, enforce_file_format=True)
