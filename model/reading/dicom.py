"""A plain DICOM series: uncompressed single-frame MR slices, placed by their own headers."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import InvalidDicomError

from model.errors import UnreadableScan
from model.reading.dicom_places import place
from model.reading.dicom_sequence import Sequence, sequence_of, why_unfit
from model.reading.nifti import MAX_VOXELS
from model.volume import FloatArray, Kind, Note, Scale, Volume

SEQUENCE_UNKNOWN = Note("sequence_unknown", "The DICOM header does not say which sequence it is.")
NO_SCAN = "There is nothing here that gliowatch reads: no NIfTI, DICOM, PNG or JPEG."


def read_dicom(files: tuple[Path, ...]) -> Volume:
    """The one series (or the one FLAIR series) among `files`, as (columns, rows, slices).

    Files that are not DICOM images are passed over. Raises UnreadableScan when no single
    series can be told, or its slices do not make one volume.
    """
    try:
        return _read(files)
    except (UnreadableScan, MemoryError):
        raise
    except Exception as error:  # pydicom judges a value only when it is asked for
        raise UnreadableScan("The headers of the DICOM files are damaged.") from error


def _read(files: tuple[Path, ...]) -> Volume:
    images = [image for image in map(_open, files) if image is not None]
    if not images:
        raise UnreadableScan(NO_SCAN)
    slices, notes = _one_series(images)
    if sequence_of(slices[0]) is Sequence.UNKNOWN:
        notes += (SEQUENCE_UNKNOWN,)
    first = slices[0]
    _check_kind(first)
    slices, affine = place(slices)
    rows, columns = int(first.Rows), int(first.Columns)
    if rows * columns * len(slices) > MAX_VOXELS:
        raise UnreadableScan("The DICOM series is too large for a head scan.")
    voxels = np.stack([_pixels(image) for image in slices], axis=2)
    if first.get("PhotometricInterpretation") == "MONOCHROME1":
        voxels = voxels.max() - voxels
    return Volume(
        voxels,
        affine,
        Kind.DICOM,
        Scale.DECLARED,
        sides_known=True,
        description=str(first.get("SeriesDescription", "")),
        acquired_at=_acquired_at(first),
        unfit=_unfit(first),
        notes=notes,
    )


def is_dicom(file: Path) -> bool:
    """Whether a file begins like DICOM (PS3.10: 128 bytes, then DICM)."""
    with file.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def patient_id_of(file: Path) -> str | None:
    """The PatientID of a DICOM file, or None where there is none or it is no DICOM file."""
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["PatientID"])
        return str(header.get("PatientID", "")).strip() or None
    except Exception:  # any damage means the same here: the file names no patient
        return None


def _open(path: Path) -> FileDataset | None:
    try:
        image = pydicom.dcmread(path)
    except InvalidDicomError:
        return None
    except Exception as error:  # pydicom raises many kinds on hostile bytes
        raise UnreadableScan("One of the DICOM files is damaged.") from error
    if "PixelData" in image and "Rows" in image:
        return image
    made_as = image.file_meta.get("MediaStorageSOPClassUID")
    if made_as is None or "Image Storage" in made_as.name:
        raise UnreadableScan("One of the DICOM files has no pixels: it was cut off.")
    return None


def _one_series(images: list[FileDataset]) -> tuple[list[FileDataset], tuple[Note, ...]]:
    series: dict[str, list[FileDataset]] = {}
    for image in images:
        series.setdefault(str(image.get("SeriesInstanceUID", "")), []).append(image)
    if len(series) == 1:
        return images, ()
    flair = [group for group in series.values() if sequence_of(group[0]) is Sequence.FLAIR]
    if len(flair) != 1:
        raise UnreadableScan(
            f"The folder holds {len(series)} series, and not exactly one of them says FLAIR."
        )
    return flair[0], (
        Note("series_chosen", f"The FLAIR series was chosen among {len(series)} by its header."),
    )


def _check_kind(image: FileDataset) -> None:
    if int(image.get("NumberOfFrames", 1) or 1) > 1:
        raise UnreadableScan("Multi-frame DICOM files cannot be read yet.")
    syntax = image.file_meta.get("TransferSyntaxUID") if hasattr(image, "file_meta") else None
    if syntax is not None and syntax.is_compressed and syntax.name.find("Deflated") < 0:
        raise UnreadableScan(f"DICOM pixels packed as {syntax.name} cannot be read yet.")


def _unfit(image: Dataset) -> Note | None:
    modality = str(image.get("Modality", ""))
    if modality and modality != "MR":
        return Note("not_mr", f"The series is {modality}, not MR: it was not judged.")
    if int(image.get("SamplesPerPixel", 1)) != 1:
        return Note("colour_picture", "The series is in colour: it was not judged.")
    return why_unfit(image)


def _pixels(image: FileDataset) -> FloatArray:
    """One slice as (columns, rows) float32, rescaled."""
    try:
        pixels = image.pixel_array.astype(np.float32)
    except Exception as error:  # pydicom's decoders raise many kinds
        raise UnreadableScan("The pixels of a DICOM slice are damaged or cut off.") from error
    if pixels.ndim == 3:
        pixels = pixels.mean(axis=2)
    pixels = pixels * float(image.get("RescaleSlope", 1) or 1) + float(
        image.get("RescaleIntercept", 0) or 0
    )
    if not np.isfinite(pixels).all():
        raise UnreadableScan("The pixels of a DICOM slice are not numbers.")
    return np.ascontiguousarray(pixels.T, dtype=np.float32)


def _acquired_at(image: Dataset) -> str | None:
    """ISO 8601 as the scanner wrote it, without a zone; the date alone where no time is given."""
    for part in ("Acquisition", "Series", "Study"):
        day = str(image.get(f"{part}Date", "") or "")
        time = str(image.get(f"{part}Time", "") or "")[:6]
        if len(day) == 8 and (written := _iso(date.fromisoformat, day)):
            moment = _iso(datetime.fromisoformat, f"{day}T{time}") if len(time) == 6 else None
            return moment or written
    return None


def _iso(read: Callable[[str], date], text: str) -> str | None:
    try:
        return read(text).isoformat()
    except ValueError:
        return None
