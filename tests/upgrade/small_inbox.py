"""A small inbox, made from `samples/`: what every earlier version was given to work on.

Four patients: one with two FLAIR as NIfTI, one of them once more, and a file that is no
scan; one
with the same head as a DICOM study; one with a single picture; and one loose picture of nobody.
"""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
from nibabel.affines import rescale_affine
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples" / "inbox"
FRONTAL = SAMPLES / "TCGA-FG-6692" / "TCGA-FG-6692_FLAIR_defaced.nii.gz"
STUDY = SAMPLES / "from-the-pacs" / "study"
PICTURE = SAMPLES / "a-picture" / "TCGA_DU_5851_slice_19.png"
STEP = 4  # of so many rows and columns one is kept
LEVELS = 31  # grey levels that are kept: fewer take less room
BRIGHTEST = 600  # in the sample, nearly
SLICES = slice(8, 22)


def fill(inbox: Path) -> None:
    """Drop everything. Times do not matter: each version waits until its files have rested."""
    patient = inbox / "TCGA-FG-6692"
    patient.mkdir(parents=True)
    _write_nifti(patient / "flair.nii", SLICES)
    _write_nifti(patient / "flair-later.nii", slice(SLICES.start, SLICES.stop - 1))
    shutil.copy(patient / "flair.nii", patient / "flair-again.nii")
    (patient / "letter.nii").write_bytes(b"This is a letter, and no scan.\n")
    _write_study(inbox / "from-the-pacs" / "study")
    (inbox / "a-picture").mkdir()
    _write_picture(inbox / "a-picture" / "slice_19.png", 1)
    _write_picture(inbox / "loose.png", -1)


def _grey(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    shares = np.clip(pixels.astype(np.float32) / BRIGHTEST, 0, 1)
    return (shares * LEVELS).round().astype(np.uint8)


def _write_nifti(path: Path, slices: slice) -> None:
    image = nib.Nifti1Image.from_filename(FRONTAL)
    voxels = np.asarray(image.dataobj)[::STEP, ::STEP]
    affine = rescale_affine(
        image.affine,
        image.shape,
        np.array(image.header.get_zooms()) * (STEP, STEP, 1),
        voxels.shape,
    )
    small = nib.Nifti1Image(_grey(voxels)[:, :, slices], affine)
    small.header.set_xyzt_units("mm")
    nib.save(small, path)


def _write_study(folder: Path) -> None:
    """The FLAIR alone, of fewer slices, not compressed."""
    folder.mkdir(parents=True)
    for path in sorted(STUDY.iterdir()):
        image = pydicom.dcmread(path)
        if image.SeriesDescription == "localizer" or image.InstanceNumber not in _NUMBERS:
            continue
        pixels = _grey(image.pixel_array[::STEP, ::STEP]).astype("<u2")
        image.PixelData = pixels.tobytes()
        image.Rows, image.Columns = pixels.shape
        image.PixelSpacing = [float(each) * STEP for each in image.PixelSpacing]
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image["PixelData"].is_undefined_length = False
        image.save_as(folder / path.name)


_NUMBERS = range(SLICES.start + 1, SLICES.stop + 1)


def _write_picture(path: Path, order: int) -> None:
    """Every second row and column; order -1: left is right."""
    Image.fromarray(np.asarray(Image.open(PICTURE))[::2, :: order * 2]).save(path)
