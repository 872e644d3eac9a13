"""A plain DICOM series: uncompressed single-frame MR slices, placed by their own headers.

DICOM counts in LPS; this file turns it into RAS, and nothing after it knows LPS.
"""

from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import InvalidDicomError

from model.errors import UnreadableScan
from model.reading.nifti import MAX_VOXELS
from model.volume import Affine, FloatArray, Kind, Note, Scale, Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
FLAIR_WORDS = ("flair", "dark fluid", "dark-fluid", "darkfluid", "tirm")
NO_SCAN = "There is nothing here that gliowatch reads: no NIfTI, DICOM, PNG or JPEG."
GAP_TOLERANCE = 0.25  # share of the slice distance by which one gap may differ from the others


def read_dicom(files: tuple[Path, ...]) -> Volume:
    """The one series (or the one FLAIR series) among `files`, as (columns, rows, slices).

    Files that are not DICOM images are passed over. Raises UnreadableScan when no single
    series can be told, or its slices do not make one volume.
    """
    images = [image for image in map(_open, files) if image is not None]
    if not images:
        raise UnreadableScan(NO_SCAN)
    slices, notes = _one_series(images)
    first = slices[0]
    _check_kind(first)
    slices, affine = _place(slices)
    rows, columns = int(first.Rows), int(first.Columns)
    if rows * columns * len(slices) > MAX_VOXELS:
        raise UnreadableScan("The DICOM series is too large for a head scan.")
    return Volume(
        np.stack([_pixels(image) for image in slices], axis=2),
        affine,
        Kind.DICOM,
        Scale.DECLARED,
        sides_known=True,
        description=str(first.get("SeriesDescription", "")),
        acquired_at=_acquired_at(first),
        unfit=_unfit(first),
        notes=notes,
    )


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
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, AttributeError):
        return None
    except Exception as error:  # pydicom raises many kinds on hostile bytes
        raise UnreadableScan("One of the DICOM files is damaged.") from error
    return image if "PixelData" in image and "Rows" in image else None


def _one_series(images: list[FileDataset]) -> tuple[list[FileDataset], tuple[Note, ...]]:
    series: dict[str, list[FileDataset]] = {}
    for image in images:
        series.setdefault(str(image.get("SeriesInstanceUID", "")), []).append(image)
    if len(series) == 1:
        return images, ()
    flair = [group for group in series.values() if _says_flair(group[0])]
    if len(flair) != 1:
        raise UnreadableScan(
            f"The folder holds {len(series)} series, and not exactly one of them says FLAIR."
        )
    return flair[0], (
        Note("series_chosen", f"The FLAIR series was chosen among {len(series)} by its name."),
    )


def _says_flair(image: Dataset) -> bool:
    words = f"{image.get('SeriesDescription', '')} {image.get('ProtocolName', '')}".lower()
    return any(word in words for word in FLAIR_WORDS)


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
    return None


def _place(slices: list[FileDataset]) -> tuple[list[FileDataset], Affine]:
    """Slices in spatial order with the affine from (column, row, slice) to RAS mm.

    DICOM PS3.3 C.7.6.2.1.1: ImageOrientationPatient gives the directions of a row and of a
    column, PixelSpacing the distance between rows first, ImagePositionPatient the first pixel.
    """
    try:
        turn = np.array(slices[0].ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
        places = [np.array(image.ImagePositionPatient, dtype=np.float64) for image in slices]
        row_mm, column_mm = (float(value) for value in slices[0].PixelSpacing)
    except (AttributeError, TypeError, ValueError):
        raise UnreadableScan("The DICOM slices do not say where they lie.") from None
    _check_same(slices)
    along, down = turn
    normal = np.cross(along, down)
    order = np.argsort([float(place @ normal) for place in places], kind="stable")
    step = _step([places[n] for n in order], normal, slices[0])
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = along * column_mm, down * row_mm, step
    affine[:3, 3] = places[order[0]]
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise UnreadableScan("The DICOM slices' position is not valid.")
    return [slices[n] for n in order], LPS_TO_RAS @ affine


def _check_same(slices: list[FileDataset]) -> None:
    def frame(image: Dataset) -> tuple[int, int, tuple[float, ...], tuple[float, ...]]:
        turn = tuple(round(float(value), 3) for value in image.ImageOrientationPatient)
        spacing = tuple(round(float(value), 4) for value in image.PixelSpacing)
        return int(image.Rows), int(image.Columns), turn, spacing

    try:
        same = len({frame(image) for image in slices}) == 1
    except (AttributeError, TypeError, ValueError):
        same = False
    if not same:
        raise UnreadableScan("The DICOM slices differ in size or direction: not one volume.")


def _step(
    places: list[NDArray[np.float64]], normal: NDArray[np.float64], image: Dataset
) -> NDArray[np.float64]:
    """Vector (mm) from one slice to the next; gaps and doubled slices are refused."""
    if len(places) == 1:
        return normal * float(image.get("SliceThickness", 0) or 1.0)
    gaps = np.diff([float(place @ normal) for place in places])
    usual = float(np.median(gaps))
    if gaps.min() < 1e-3:
        raise UnreadableScan("Two DICOM slices lie at the same place.")
    if np.abs(gaps - usual).max() > GAP_TOLERANCE * usual:
        raise UnreadableScan("A DICOM slice is missing, or the slices are unevenly spaced.")
    step: NDArray[np.float64] = (places[-1] - places[0]) / (len(places) - 1)
    return step


def _pixels(image: FileDataset) -> FloatArray:
    """One slice as (columns, rows) float32, rescaled, bright where the scanner meant bright."""
    try:
        pixels = image.pixel_array.astype(np.float32)
    except Exception as error:  # pydicom's decoders raise many kinds
        raise UnreadableScan("The pixels of a DICOM slice are damaged or cut off.") from error
    if pixels.ndim == 3:
        pixels = pixels.mean(axis=2)
    pixels = pixels * float(image.get("RescaleSlope", 1) or 1) + float(
        image.get("RescaleIntercept", 0) or 0
    )
    if image.get("PhotometricInterpretation") == "MONOCHROME1":
        pixels = pixels.max() - pixels
    if not np.isfinite(pixels).all():
        raise UnreadableScan("The pixels of a DICOM slice are not numbers.")
    return np.ascontiguousarray(pixels.T, dtype=np.float32)


def _acquired_at(image: Dataset) -> str | None:
    """ISO 8601 as the scanner wrote it, without a zone; the date alone where no time is given."""
    for part in ("Acquisition", "Series", "Study"):
        date = str(image.get(f"{part}Date", "") or "")
        time = str(image.get(f"{part}Time", "") or "")
        if len(date) == 8 and date.isdigit():
            day = f"{date[:4]}-{date[4:6]}-{date[6:]}"
            clock = f"T{time[:2]}:{time[2:4]}:{time[4:6]}" if time[:6].isdigit() else ""
            return day + (clock if len(clock) == 9 else "")
    return None
