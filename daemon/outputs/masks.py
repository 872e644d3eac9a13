"""Masks and probabilities as files on the input's own grid: NIfTI, or PNG for a picture."""

from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip
from numpy.typing import NDArray
from PIL import Image

from model.volume import Affine, FloatArray, MaskArray, Volume

PACKED = 2  # level of ISA-L, which at this one is ten times as fast as zlib at its lowest


def save_mask(mask: MaskArray, affine: Affine, path: Path) -> None:
    """uint8 0/1, same shape and affine as the input; units mm, scanner coordinates."""
    _save(mask.astype(np.uint8), affine, path)


def save_probability(probability: FloatArray, affine: Affine, path: Path) -> None:
    """float32 in [0, 1], same shape and affine as the input."""
    _save(probability, affine, path)


def save_series(volume: Volume, path: Path) -> None:
    """The chosen DICOM series as float32 NIfTI, slices along the third axis, no patient data."""
    _save(volume.voxels, volume.affine, path)


def save_picture_mask(mask: MaskArray, path: Path) -> None:
    """The mask of a picture (columns, rows, 1) as a PNG of the same size: 0 or 255."""
    Image.fromarray(mask[:, :, 0].T * np.uint8(255)).save(path)


def _save(voxels: NDArray[np.generic], affine: Affine, path: Path) -> None:
    image = nib.Nifti1Image(voxels, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, "scanner")
    image.set_qform(affine, "scanner", strip_shears=True)
    path.write_bytes(igzip.compress(image.to_bytes(), PACKED, mtime=0))
