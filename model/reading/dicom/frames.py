"""DICOM files as frames: one picture each, with a plain header, and the pixels still unread.

A classic file holds one frame. An Enhanced MR file holds many, whose headers lie in functional
groups (PS3.3 C.7.6.16, C.8.13): here each frame gets one flat header, as a classic file has it,
so that nothing after this file knows which of the two it was.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID

from model.catalogue import text
from model.errors import UnreadableScan
from model.reading.dicom.files import is_dicom, read_header, seen_syntax

MAX_FRAMES = 20_000  # in one file
DEFER_BYTES = 1024  # larger values, the pixels above all, are left in the file
SERIES = tag_for_keyword("SeriesInstanceUID") or 0
CONTENTS = "dicomdir"  # the table of contents of a CD; it holds no picture
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
ABOUT = (  # what is kept of a header
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("FrameOfReferenceUID", "SpecificCharacterSet", "AcquisitionDateTime"),
    *("AcquisitionDate", "AcquisitionTime", "SeriesDate", "SeriesTime", "StudyDate", "StudyTime"),
    *("Modality", "Manufacturer", "SeriesDescription", "ProtocolName", "SeriesNumber"),
    *("ImageType", "BodyPartExamined", "ContrastBolusAgent"),
    *("ScanningSequence", "EchoTime", "InversionTime", "DiffusionBValue"),
    *("AcquisitionNumber", "TemporalPositionIdentifier", "SliceThickness", "SpacingBetweenSlices"),
    *("PatientID", "InstanceNumber", "EchoNumbers", "TriggerTime"),
    *("ImagesInAcquisition", "NumberOfSeriesRelatedInstances", "NumberOfStudyRelatedInstances"),
    *("InStackPositionNumber", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"),
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept"),
    *("EchoPulseSequence", "InversionRecovery", "EchoPlanarPulseSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
GROUPS = (  # functional groups whose elements a classic header holds itself
    *("UnassignedSharedConvertedAttributesSequence",),  # of Legacy Converted Enhanced files
    *("UnassignedPerFrameConvertedAttributesSequence",),
    *("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"),
    *("PixelValueTransformationSequence", "FrameContentSequence", "MREchoSequence"),
    *("MRTimingAndRelatedParametersSequence", "MRModifierSequence", "MRDiffusionSequence"),
    *("MRImageFrameTypeSequence", "MRPulseSequenceSequence"),
)
RENAMED = {
    "EffectiveEchoTime": "EchoTime",
    "InversionTimes": "InversionTime",
    "FrameType": "ImageType",
    "FrameAcquisitionDateTime": "AcquisitionDateTime",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
}
OURS = "gliowatch"  # the Manufacturer of what goes back to the PACS, and may come from there again
PICTURES = ("Image Storage", "Photography", "Microscopy")  # in the names of such SOP classes


Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Whereabouts:
    """Where one slice lies, LPS: directions of a row and of a column, distance in mm between rows
    and between columns, and the middle of the first pixel."""

    along: Vector
    down: Vector
    row_mm: float
    column_mm: float
    first_pixel: Vector


@dataclass(frozen=True)
class Frame:
    """One picture of a file: `index` counts from 0; `header` is flat and holds no pixels.

    syntax: the transfer syntax, which says how the pixels are packed. fault: why it can make no
    part of a volume, as one sentence; "" where nothing is wrong yet. bare: the file itself names
    no transfer syntax.
    """

    file: Path
    index: int
    header: Dataset
    syntax: UID
    fault: str = ""
    bare: bool = False

    @property
    def instance(self) -> tuple[str, int]:
        """What names this picture for good: SOPInstanceUID and the frame's number."""
        return str(self.header.get("SOPInstanceUID", "")), self.index

    @cached_property
    def place(self) -> Whereabouts | None:
        """Where it says that it lies; None where it does not, or cannot be."""
        try:
            return whereabouts(self.header)
        except UnreadableScan:
            return None


def whereabouts(header: Dataset) -> Whereabouts:
    """Where a slice says that it lies. Raises UnreadableScan when it does not, or cannot be."""
    turn = _numbers(header, "ImageOrientationPatient", 6).reshape(2, 3)
    lengths = np.linalg.norm(turn, axis=1)
    row_mm, column_mm = _numbers(header, "PixelSpacing", 2)
    first_pixel = _numbers(header, "ImagePositionPatient", 3)
    if np.abs(lengths - 1).max() > 0.01 or abs(turn[0] @ turn[1]) > 0.01:
        raise UnreadableScan(text("dicom.wrong_place"))
    if min(row_mm, column_mm) <= 0:
        raise UnreadableScan(text("dicom.wrong_place"))
    along, down = turn / lengths[:, None]
    return Whereabouts(along, down, float(row_mm), float(column_mm), first_pixel)


def _numbers(header: Dataset, tag: str, count: int) -> Vector:
    try:
        values = np.array([float(value) for value in header[tag].value], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        raise UnreadableScan(text("dicom.no_place")) from None
    if len(values) != count or not np.isfinite(values).all():
        raise UnreadableScan(text("dicom.no_place"))
    return values


def text_of(header: Dataset, tag: str) -> str:
    """A value of the header as text; "" where it is missing or empty."""
    return str(header.get(tag, "") or "")


def number_of(header: Dataset, tag: str) -> float | None:
    """A number of the header; None where it is missing, none, or not finite."""
    try:
        number = float(header.get(tag))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def frames_of(path: Path) -> tuple[Frame, ...]:
    """The pictures of a file; none of a file that is no DICOM, or DICOM without pictures.

    Raises UnreadableScan when the header is damaged, so that it cannot be told what is missing.
    """
    header = _picture_header(path)
    if header is None:
        return ()
    fault = "" if any(name in header for name in PIXELS) else text("dicom.no_pixels")
    if fault and max(header.keys(), default=0) <= SERIES:  # nobody knows what it is a slice of
        raise UnreadableScan(fault)
    for name in PIXELS:
        header.pop(name, None)
    count = _count(header)
    if not 1 <= count <= MAX_FRAMES:
        count, fault = 1, text("dicom.frame_count")
    named = header.file_meta.get("TransferSyntaxUID")
    how = (UID(named) if named else seen_syntax(header), fault, not named)
    own = header.get("PerFrameFunctionalGroupsSequence") or []
    if count == 1 and not own:
        return (Frame(path, 0, header, *how),)
    plain = _plain(header)
    if len(own) < count:  # pictures in one file that do not say where each of them lies
        plain.pop("ImagePositionPatient", None)
        own = [Dataset()] * count
    return tuple(Frame(path, n, _flat(plain, own[n]), *how) for n in range(count))


def _picture_header(path: Path) -> FileDataset | None:
    """None where the file holds no picture, or is no DICOM. Raises UnreadableScan."""
    if path.name.lower() == CONTENTS:
        return None
    try:
        header = read_header(path, [*ABOUT, *PIXELS], DEFER_BYTES)
    except InvalidDicomError:
        if is_dicom(path):
            raise UnreadableScan(text("dicom.damaged_start")) from None
        return None
    except Exception as error:  # pydicom raises many kinds on hostile bytes
        raise UnreadableScan(_why_damaged(path)) from error
    return header if _is_picture(header) else None


def _count(header: Dataset) -> int:
    """How many frames a file claims to hold; 0 where that is no number."""
    try:
        return int(header.get("NumberOfFrames") or 1)
    except (TypeError, ValueError):
        return 0


def _why_damaged(path: Path) -> str:
    """A data set that cannot be read may be packed in a way that nobody here knows."""
    try:
        syntax = UID(read_file_meta_info(path).get("TransferSyntaxUID", ""))
    except Exception:  # pydicom raises many kinds on hostile bytes
        return text("dicom.damaged")
    return text("dicom.damaged") if is_known(syntax) else unknown_packing(syntax)


def is_known(syntax: UID) -> bool:
    """Whether the standard lists a transfer syntax."""
    return syntax.is_valid and syntax.is_transfer_syntax and not syntax.is_private


def unknown_packing(syntax: UID) -> str:
    """The sentence for a transfer syntax that is none of the standard's: it is named by its UID."""
    named = "".join(letter for letter in str(syntax)[:64] if letter.isprintable())
    return text("dicom.unknown_syntax", syntax=named)


def _is_picture(header: FileDataset) -> bool:
    """Raises UnreadableScan for what begins as DICOM and goes on as nothing that can be known."""
    made_as = header.file_meta.get("MediaStorageSOPClassUID") or header.get("SOPClassUID")
    name = UID(made_as or "").name
    if not header and name == (made_as or ""):
        raise UnreadableScan(text("dicom.damaged"))
    if made_as is None:
        return "Rows" in header
    if header.get("Manufacturer") == OURS:
        return False
    return any(word in name for word in PICTURES) or (name == made_as and "Rows" in header)


def _plain(header: Dataset) -> Dataset:
    """What all frames share, flat, without the functional groups."""
    plain = Dataset()
    for element in header:
        if element.VR != "SQ":
            plain.add(element)
    shared = header.get("SharedFunctionalGroupsSequence") or []
    plain = _flat(plain, shared[0]) if shared else plain
    plain.ScanningSequence = _scanning_sequence(plain, header)
    return plain


def _flat(plain: Dataset, group: Dataset) -> Dataset:
    """A copy with the elements of a frame's functional groups, under their classic names."""
    flat = Dataset()
    flat.update(plain)
    for name in GROUPS:
        for item in (group.get(name) or [])[:1]:
            for element in item:
                if element.VR != "SQ":
                    flat[element.tag] = element
                    if (classic := RENAMED.get(element.keyword)) and not element.is_empty:
                        setattr(flat, classic, element.value)
    return flat


def _scanning_sequence(plain: Dataset, header: Dataset) -> list[str]:
    """The Enhanced names of a sequence in the words of a classic header."""
    words = []
    said = {name: str((plain.get(name) or header.get(name)) or "") for name in ABOUT[-5:-2]}
    if said["EchoPulseSequence"] in ("SPIN", "BOTH"):
        words.append("SE")
    if said["EchoPulseSequence"] in ("GRADIENT", "BOTH"):
        words.append("GR")
    if said["InversionRecovery"] == "YES":
        words.append("IR")
    if said["EchoPlanarPulseSequence"] == "YES":
        words.append("EP")
    return words


def acquired_at(header: Dataset) -> str | None:
    """When the pictures were taken; the date alone where no time is given."""
    moment = text_of(header, "AcquisitionDateTime")
    days = [(moment[:8], moment[8:14])]
    for part in ("Acquisition", "Series", "Study"):
        days.append((text_of(header, f"{part}Date"), text_of(header, f"{part}Time")[:6]))
    for day, time in days:
        if len(day) == 8 and (written := _iso(date.fromisoformat, day)):
            precise = _iso(datetime.fromisoformat, f"{day}T{time}") if len(time) == 6 else None
            return precise or written
    return None


def day_of(header: Dataset, tag: str) -> str | None:
    """The date of one tag, or None where there is none that can be."""
    return _iso(date.fromisoformat, text_of(header, tag))


def _iso(read: Callable[[str], date], text: str) -> str | None:
    try:
        return read(text).isoformat()
    except ValueError:
        return None
