"""NIfTI files: the header first, then the voxels, never more of them than it says."""

from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np

from model.errors import UnreadableScan
from model.reading.nifti_header import (
    CUT_OFF,
    LONGEST_HEADER,
    MAX_EXTENSION_BYTES,
    geometry,
    header_in,
    image_class,
    opened,
)
from model.volume import FloatArray, Kind, Note, Scale, Volume

NO_SIDES = Note("orientation_unknown", "The file does not say which side is left or right.")
UNITS_UNKNOWN = Note("units_unknown", "The file does not say its unit of length; mm are assumed.")


@np.errstate(all="ignore")  # what overflows in a hostile header is refused right after
def read_nifti(path: Path) -> Volume:
    """Read a `.nii` or `.nii.gz` of one 3D volume, as (i, j, k) float32 with its affine in RAS mm.

    Trailing axes of length 1 are dropped. The sform is used, else the qform; with neither,
    sides are not known. Raises UnreadableScan with the reason.
    """
    image = load_image(path)
    grid = geometry(image.header)
    voxels, notes = _voxels(image, grid.shape)
    if grid.scale is Scale.ASSUMED:
        notes += (UNITS_UNKNOWN,)
    if not grid.sides_known:
        notes += (NO_SIDES,)
    about = (Kind.NIFTI, grid.scale, grid.sides_known, _description(image))
    return Volume(voxels, grid.affine, *about, notes=notes)


def load_image(path: Path) -> nib.Nifti1Image:
    """A NIfTI-1 or -2 image held wholly in memory, its size checked against its header first."""
    with opened(path) as stream:
        return _parse(stream)


def _parse(stream: BinaryIO) -> nib.Nifti1Image:
    start = stream.read(LONGEST_HEADER)
    _, end = header_in(start)
    kind = image_class(start)
    size = kind.header_class.template_dtype.itemsize
    limit = end + MAX_EXTENSION_BYTES
    start = start[:size] + bytes(len(start[size : size + 4])) + start[size + 4 :]  # no extensions
    content = start + stream.read(limit + 1 - len(start))
    if len(content) > limit:
        raise UnreadableScan("The file holds far more data than its header says.")
    if len(content) < end:
        raise UnreadableScan(CUT_OFF)
    image: nib.Nifti1Image = kind.from_bytes(content)
    return image


def _voxels(
    image: nib.Nifti1Image, shape: tuple[int, int, int]
) -> tuple[FloatArray, tuple[Note, ...]]:
    kind = image.get_data_dtype()
    if kind.fields is not None or kind.kind == "c":
        raise UnreadableScan("The NIfTI file holds colours or complex numbers, not an MR image.")
    voxels = _as_float(image).reshape(shape, order="F")
    if np.isfinite([voxels.min(), voxels.max()]).all():  # no mask of all of them is needed
        return voxels, ()
    finite = np.isfinite(voxels)
    if not finite.any():
        raise UnreadableScan("No voxel of the volume has a value.")
    missing = voxels.size - int(finite.sum())
    voxels = np.where(finite, voxels, np.float32(0))
    return voxels, (
        Note("missing_voxels", f"Voxels without a value were taken as 0: {missing:,}."),
    )


def _as_float(image: nib.Nifti1Image) -> FloatArray:
    """The scaled values; straight from the file's bytes where there is nothing to scale."""
    stored: Any = image.dataobj
    if (stored.slope, stored.inter) != (1, 0):
        return np.asarray(stored, dtype=np.float32)
    content = stored.file_like.getbuffer()[stored.offset :]
    values = np.frombuffer(content, stored.dtype, int(np.prod(stored.shape)))
    return values.reshape(stored.shape, order="F").astype(np.float32)


def _description(image: nib.Nifti1Image) -> str:
    return bytes(image.header["descrip"].tobytes()).split(b"\0")[0].decode("ascii", "replace")
