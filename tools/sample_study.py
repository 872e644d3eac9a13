"""The small DICOM study among the samples, made from the NIfTI sample TCGA-FG-6692.

Run from the repository's folder: `python -m tools.sample_study`. The same input gives the
same files. The patient and all dates are made up; the pixels are those of the NIfTI sample, and
the localizer is cut from them. The files have no names that say anything, as a PACS writes them.
"""

import shutil
import uuid
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, MRImageStorage
from scipy import ndimage

INBOX = Path("samples") / "inbox"
SOURCE = INBOX / "TCGA-FG-6692" / "TCGA-FG-6692_FLAIR_defaced.nii.gz"
TARGET = INBOX / "from-the-pacs" / "study"
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
LOCALIZER_MM = 1.2

Pixels = NDArray[np.uint16]


def main() -> None:
    """Write both series into one folder, mixed."""
    image = nib.Nifti1Image.from_filename(SOURCE)
    voxels = np.asarray(image.dataobj, dtype=np.float32)
    stored = np.clip(voxels.round(), 0, 4095).astype(np.uint16)
    affine = RAS_TO_LPS @ image.affine
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    slices = [(stored[:, :, k], _at(affine, k)) for k in range(stored.shape[2])]
    _write(slices, 3, "t2_tirm_tra_dark-fluid", ["SE", "IR"], ["ORIGINAL", "PRIMARY", "OTHER"])
    planes = [_sagittal(stored, affine, share) for share in (0.4, 0.5, 0.6)]
    _write(planes, 1, "localizer", ["GR"], ["ORIGINAL", "PRIMARY", "LOCALIZER"])


def _at(affine: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """The affine of one slice alone."""
    moved = affine.copy()
    moved[:3, 3] += k * affine[:3, 2]
    return moved


def _sagittal(
    stored: Pixels, affine: NDArray[np.float64], share: float
) -> tuple[Pixels, NDArray[np.float64]]:
    """A sagittal plane at a share of the width, square pixels, nose to the left."""
    corners = np.array(
        [affine @ [*np.array(c) * np.array(stored.shape), 1] for c in np.ndindex(2, 2, 2)]
    )
    low, high = corners[:, :3].min(axis=0), corners[:, :3].max(axis=0)
    columns, rows = ((high - low)[[1, 2]] / LOCALIZER_MM).astype(int)
    plane = np.zeros((4, 4))
    plane[1, 0], plane[2, 1], plane[0, 2], plane[3, 3] = LOCALIZER_MM, -LOCALIZER_MM, 1, 1
    plane[:3, 3] = low[0] + share * (high - low)[0], low[1], high[2]
    i, j = np.mgrid[:columns, :rows]
    points = np.stack([i, j, np.zeros_like(i), np.ones_like(i)]).reshape(4, -1)
    inside = (np.linalg.inv(affine) @ plane @ points)[:3]
    sampled = ndimage.map_coordinates(stored.astype(np.float32), inside, order=1)
    return sampled.reshape(columns, rows).round().astype(np.uint16), plane


def _write(
    slices: list[tuple[Pixels, NDArray[np.float64]]],
    series: int,
    description: str,
    sequence: list[str],
    kind: list[str],
) -> None:
    for number, (pixels, affine) in enumerate(slices, start=1):
        image = _image(pixels, affine, series, number)
        image.SeriesDescription, image.ScanningSequence = description, sequence
        image.ImageType, image.SequenceVariant, image.ScanOptions = kind, "SK", ""
        image.compress(JPEG2000Lossless, generate_instance_uid=False)
        name = _uid("file", series, number).split(".")[-1][:8]
        image.save_as(TARGET / name, enforce_file_format=True)


def _image(pixels: Pixels, affine: NDArray[np.float64], series: int, number: int) -> Dataset:
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    turn = affine[:3, :2] / spacing[:2]
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = MRImageStorage
    uid = _uid("image", series, number)
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = uid
    image.StudyInstanceUID, image.SeriesInstanceUID = _uid("study"), _uid("series", series)
    image.FrameOfReferenceUID, image.PositionReferenceIndicator = _uid("frame"), ""
    image.SpecificCharacterSet = "ISO_IR 192"
    image.PatientName, image.PatientID = "Müster^Sample", "GW-0001"
    image.PatientBirthDate, image.PatientSex = "19700101", "O"
    image.StudyDate, image.StudyTime = "20200102", "030405"
    image.SeriesDate, image.SeriesTime = "20200102", f"0304{series:02d}"
    image.AccessionNumber, image.StudyID, image.ReferringPhysicianName = "1", "1", ""
    image.Modality, image.Manufacturer, image.BodyPartExamined = "MR", "made up", "HEAD"
    image.SeriesNumber, image.InstanceNumber = series, number
    image.MRAcquisitionType, image.EchoTrainLength = "2D", "1"
    image.EchoTime, image.RepetitionTime, image.InversionTime = "", "", ""
    image.PatientPosition = "HFS"
    image.SliceThickness = f"{spacing[2]:.6g}"
    image.PixelSpacing = [f"{value:.9g}" for value in spacing[[1, 0]]]
    image.ImageOrientationPatient = [f"{value:.9g}" for value in turn.T.ravel()]
    image.ImagePositionPatient = [f"{value:.9g}" for value in affine[:3, 3]]
    image.Columns, image.Rows = pixels.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelData = np.ascontiguousarray(pixels.T).tobytes()
    return image


def _uid(*parts: object) -> UID:
    """The same number for the same part (PS3.5 B.2: from a UUID)."""
    key = "gliowatch sample " + " ".join(map(str, parts))
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, key).int}")


if __name__ == "__main__":
    main()
