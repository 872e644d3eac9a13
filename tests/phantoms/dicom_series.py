"""Small uncompressed DICOM series on disk, for the tests of the DICOM reader."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

from model.errors import UnreadableScan
from model.reading.dicom.study import read_dicom
from model.volume import Affine, Volume
from tests.phantoms.heads import Shape, grid

SHAPE: Shape = (14, 10, 6)  # columns, rows, slices
AFFINE = grid(SHAPE, (0.9, 0.7, 5.0), (4, -8, 15)) @ np.diag([-1.0, -1.0, 1.0, 1.0])
STORED = np.random.default_rng(8).integers(0, 1000, SHAPE).astype(np.uint16)
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

Change = Callable[[int, Dataset], object]


@dataclass(frozen=True)
class Series:
    """What a series says of itself; `change` may alter each slice before it is written."""

    name: str = "t2 FLAIR tra"
    uid: str = "1.2.826.0.1.3680043.8.498.1"
    syntax: UID = ExplicitVRLittleEndian
    prefix: str = "IM"
    change: Change | None = None


def write_series(
    folder: Path,
    stored: NDArray[Any] = STORED,
    affine: Affine = AFFINE,
    series: Series | None = None,
) -> tuple[Path, ...]:
    """One file a slice of (columns, rows, slices); `affine` is in RAS mm."""
    series = series or Series()
    files = []
    for number in range(stored.shape[2]):
        image = _slice(stored[:, :, number], affine, number, series)
        if series.change:
            series.change(number, image)
        files.append(folder / f"{series.prefix}{number:04d}")
        image.save_as(files[-1], enforce_file_format=True)
    return tuple(files)


def cut_deflated(path: Path) -> None:
    """Half of a file whose data set is deflated: zlib itself raises when it is opened."""
    image = pydicom.dcmread(path)
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    image.save_as(path, enforce_file_format=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _slice(stored: NDArray[Any], affine: Affine, number: int, series: Series) -> Dataset:
    lps = RAS_TO_LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    along, down, across = (lps[:3, axis] / spacing[axis] for axis in range(3))
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = series.syntax
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = MRImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
    image.Modality, image.PatientID = "MR", "patient name"
    image.SeriesInstanceUID, image.SeriesDescription = series.uid, series.name
    image.StudyInstanceUID, image.FrameOfReferenceUID = "1.2.3.4", "1.2.3.5"
    image.InstanceNumber = number + 1
    image.ImageOrientationPatient = texts([*along, *down])
    image.ImagePositionPatient = texts(lps[:3, 3] + number * spacing[2] * across)
    image.PixelSpacing = texts([spacing[1], spacing[0]])
    image.SliceThickness = texts([spacing[2]])[0]
    image.Columns, image.Rows = stored.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation = int(stored.dtype.kind == "i")
    image.PixelData = (
        np.ascontiguousarray(stored.T).astype(stored.dtype.newbyteorder("<")).tobytes()
    )
    return image


def texts(values: Any) -> list[str]:
    """Numbers as DICOM decimal strings of at most 16 characters."""
    return [f"{value:.9g}" for value in values]


def reason(files: tuple[Path, ...]) -> str:
    """The sentence with which these files are refused."""
    with pytest.raises(UnreadableScan) as refused:
        read_dicom(files)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "patient name" not in sentence
    assert str(files[0].parent) not in sentence
    return sentence


def outcome(files: tuple[Path, ...]) -> Volume | str:
    """What reading these files gives: a finite volume, or the sentence of a refusal."""
    try:
        volume = read_dicom(files)
    except UnreadableScan as refused:
        return str(refused)
    assert np.isfinite(volume.voxels).all()
    assert np.isfinite(volume.affine).all()
    return volume
