"""A made-up head with a bright lesion, to time things with where no scan is given."""

from pathlib import Path

import nibabel as nib
import numpy as np

SIZE_MM = (150.0, 180.0, 150.0)  # of the head, along left-right, back-front, bottom-top
LESION_MM, LESION_AT = 22.0, (40.0, 30.0, 25.0)  # radius, and its middle from that of the head


def save_made_up_head(slices: int, thick_mm: float, path: Path) -> None:
    """240 x 240 pixels of 1 mm and so many slices as int16 NIfTI: no patient, and no anatomy."""
    shape, spacing = (240, 240, slices), np.array([1.0, 1.0, thick_mm])
    places = np.indices(shape, dtype=np.float32).transpose(1, 2, 3, 0)
    places = (places - (np.array(shape) - 1) / 2) * spacing
    radius = np.linalg.norm(places / (np.array(SIZE_MM) / 2), axis=-1)
    texture = np.random.default_rng(1).normal(1, 0.05, shape)
    voxels = np.where(radius < 1, 400 * texture, 0)
    voxels[(radius > 0.9) & (radius < 1)] *= 1.3
    voxels[np.linalg.norm(places - LESION_AT, axis=-1) < LESION_MM] *= 2
    image = nib.Nifti1Image(voxels.astype(np.int16), np.diag([-1.0, -1.0, thick_mm, 1.0]))
    image.header.set_xyzt_units("mm")
    image.to_filename(path)
