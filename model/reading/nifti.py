"""NIfTI files: the header is checked before any voxel is read, then never more than it says."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from isal import igzip
from isal.isal_zlib import IsalError
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from model.catalogue import text
from model.errors import UnreadableScan
from model.volume import Affine, FloatArray, Kind, Note, Scale, Volume, note

MAX_VOXELS = 150_000_000  # 512 x 512 x 570: 0.6 GB as float32
MAX_EXTENSION_BYTES = 8_000_000  # header extensions and padding that a real file may carry
UNITS = {"mm": 1.0, "meter": 1000.0, "micron": 0.001}
CHUNK = 1 << 20
LONGEST_HEADER = 544  # bytes, of NIfTI-2 with the mark of its extensions


@dataclass(frozen=True)
class Geometry:
    """A volume's grid as its header tells: voxels along i, j, k, and the affine to RAS mm."""

    shape: tuple[int, int, int]
    affine: Affine
    scale: Scale
    sides_known: bool


@np.errstate(all="ignore")
def geometry_of(path: Path) -> Geometry:
    """The grid of a NIfTI file, whose voxels are counted but not kept. Raises UnreadableScan."""
    with opened(path) as stream:
        start = stream.read(LONGEST_HEADER)
        header, end = header_in(start)
        count = len(start)
        while count < end and (chunk := stream.read(min(CHUNK, end - count))):
            count += len(chunk)
        if count < end:
            raise UnreadableScan(text("nifti.cut_off"))
        return geometry(header)


def geometry(header: nib.Nifti1Header) -> Geometry:
    """The sform, else the qform; sides are not known where the file declares neither."""
    shape = _three_axes(tuple(int(length) for length in header.get_data_shape()))
    sides_known = bool(int(header["sform_code"]) or int(header["qform_code"]))
    affine = np.array(header.get_best_affine(), dtype=np.float64)
    unit = _unit(header)
    affine[:3] *= UNITS.get(unit, 1.0)
    _check_geometry(affine)
    scale = Scale.DECLARED if unit in UNITS else Scale.ASSUMED
    return Geometry(shape, affine, scale, sides_known)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The unpacked bytes of a file; what damage makes the libraries raise becomes a sentence."""
    try:
        with path.open("rb") as start:
            packed = start.read(2) == b"\x1f\x8b"
        with igzip.open(path, "rb") if packed else path.open("rb") as stream:
            yield stream
    except EOFError:
        raise UnreadableScan(text("nifti.ends_early")) from None
    except (IsalError, gzip.BadGzipFile):  # type: ignore[misc]  # isal's stub: it is a class
        raise UnreadableScan(text("nifti.damaged")) from None
    except (ImageFileError, HeaderDataError, WrapStructError, ValueError, KeyError, OverflowError):
        raise UnreadableScan(text("nifti.unreadable")) from None


def header_in(start: bytes) -> tuple[nib.Nifti1Header, int]:
    """The header in a file's first bytes, and where the data that it claims end."""
    kind = image_class(start)
    size = kind.header_class.template_dtype.itemsize
    header = kind.header_class(start[:size], check=False)
    needed = _data_bytes(header)
    offset = int(header.get_data_offset())
    if not 0 <= offset <= MAX_EXTENSION_BYTES:
        raise UnreadableScan(text("nifti.bad_offset"))
    return header, offset + needed


def image_class(start: bytes) -> type[nib.Nifti1Image]:
    """NIfTI-1 or -2, by the mark in a file's first bytes. Raises UnreadableScan."""
    if not start:
        raise UnreadableScan(text("nifti.empty"))
    if len(start) >= 348 and start[344:347] == b"n+1":
        return nib.Nifti1Image
    if len(start) >= 540 and start[4:7] == b"n+2":
        return nib.Nifti2Image
    raise UnreadableScan(text("nifti.not_nifti"))


def _data_bytes(header: nib.Nifti1Header) -> int:
    """Bytes of voxel data that the header claims, refused when no head scan is that large."""
    shape = [int(length) for length in header.get_data_shape()]
    if not shape or min(shape) < 1:
        raise UnreadableScan(text("nifti.no_voxels"))
    count = 1
    for length in shape:
        count *= length
    if count > MAX_VOXELS:
        raise UnreadableScan(text("nifti.too_large", voxels=count, limit=MAX_VOXELS))
    return count * int(header.get_data_dtype().itemsize)


def _three_axes(shape: tuple[int, ...]) -> tuple[int, int, int]:
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3:
        raise UnreadableScan(text("nifti.dimensions", count=len(shape)))
    if sorted(shape)[1] < 2:
        raise UnreadableScan(text("nifti.single_line"))
    return shape[0], shape[1], shape[2]


def _unit(header: nib.Nifti1Header) -> str:
    """The declared unit of length; "unknown" for a code that NIfTI does not know."""
    try:
        return str(header.get_xyzt_units()[0])
    except KeyError:
        return "unknown"


def _check_geometry(affine: Affine) -> None:
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise UnreadableScan(text("nifti.bad_position"))
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if lengths.min() < 0.01 or lengths.max() > 100:
        raise UnreadableScan(text("nifti.bad_voxel_size"))


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
        notes += (note("units_unknown"),)
    if not grid.sides_known:
        notes += (note("orientation_unknown"),)
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
        raise UnreadableScan(text("nifti.too_much_data"))
    if len(content) < end:
        raise UnreadableScan(text("nifti.cut_off"))
    image: nib.Nifti1Image = kind.from_bytes(content)
    return image


def _voxels(
    image: nib.Nifti1Image, shape: tuple[int, int, int]
) -> tuple[FloatArray, tuple[Note, ...]]:
    kind = image.get_data_dtype()
    if kind.fields is not None or kind.kind == "c":
        raise UnreadableScan(text("nifti.not_grey"))
    voxels = _as_float(image).reshape(shape, order="F")
    if np.isfinite([voxels.min(), voxels.max()]).all():  # no mask of all of them is needed
        return voxels, ()
    finite = np.isfinite(voxels)
    if not finite.any():
        raise UnreadableScan(text("nifti.no_values"))
    missing = voxels.size - int(finite.sum())
    voxels = np.where(finite, voxels, np.float32(0))
    return voxels, (note("missing_voxels", count=missing),)


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
