"""NIfTI files: the header is checked before any voxel is read, then never more than it says."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import BinaryIO, Protocol

import nibabel as nib
import numpy as np
from isal import igzip_lib
from isal.isal_zlib import IsalError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from model.catalogue import text
from model.errors import UnreadableScan
from model.intensity import HUGEST, range_of
from model.reading.nifti_grid import MARK_BYTES, Geometry, geometry, lengths
from model.rules import NIFTI_HEADER_SUFFIXES, other_half
from model.volume import FloatArray, Kind, Note, Volume, axial_stack, note

MAX_VOXELS = 150_000_000  # 512 x 512 x 570: 0.6 GB as float32
MAX_EXTENSION_BYTES = 2_000_000_000  # passed over, not kept
MAX_LEFT_OVER_BYTES = 8_000_000  # padding behind the voxels that a real file may carry
CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
LONGEST_HEADER = 540 + MARK_BYTES  # of NIfTI-2
FINEST = 1000  # steps of a 32-bit number that a picture's grey values must span


class Readable(Protocol):
    """Whatever gives its next bytes: fewer than asked for only at its end."""

    def read(self, size: int) -> bytes:
        """The next `size` bytes."""


@np.errstate(all="ignore")  # what overflows in a hostile header is refused right after
def geometry_of(*files: Path) -> Geometry:
    """The grid of a NIfTI file, whose voxels are counted, not looked at. Raises UnreadableScan."""
    with _data_in(files) as (header, data):
        data.read_voxels()
        return geometry(header)


@np.errstate(all="ignore")
def read_nifti(*files: Path) -> Volume:
    """Read one 3D volume, as (i, j, k) float32 with its affine in RAS mm.

    files: a `.nii` or `.nii.gz`, or the `.hdr` and `.img` of a pair, of which one alone finds the
    other beside it. Trailing axes of length 1 are dropped. The sform is used, else the qform; with
    neither, sides are not known. Raises UnreadableScan with the reason.
    """
    with _data_in(files) as (header, data):
        grid = geometry(header)
        content = data.read_voxels()
    voxels, notes = _voxels(header, content, grid)
    return Volume(
        voxels,
        grid.affine,
        Kind.NIFTI,
        grid.scale,
        grid.sides_known,
        _description(header),
        notes=(*data.notes, *notes, *grid.notes),
        nifti_header=grid.carried,
        needs_copy=data.is_odd or not grid.is_plain,
    )


@contextmanager
def _data_in(files: tuple[Path, ...]) -> "Iterator[tuple[nib.Nifti1Header, _Data]]":
    """The header, and the voxels' bytes to be read."""
    first, second = _in_order(files)
    with opened(first) as stream:
        start = stream.read(LONGEST_HEADER)
        header = header_in(start, is_pair=second is not None)
        if second is None:
            yield header, _Data(header, stream, start)
            return
    with opened(second) as stream:
        yield header, _Data(header, stream, None)


def _in_order(files: tuple[Path, ...]) -> tuple[Path, Path | None]:
    """A single file; of a pair the header first, then the file of its voxels."""
    first = files[0]
    beside = other_half(first.name)
    if beside is None:
        return first, None
    others = [*files[1:], *(first.with_name(name) for name in beside)]
    second = next((path for path in others if path.is_file()), None)
    if second is None:
        raise UnreadableScan(text("nifti.half_missing"))
    is_header = first.name.lower().endswith(NIFTI_HEADER_SUFFIXES)
    return (first, second) if is_header else (second, first)


@contextmanager
def opened(path: Path) -> Iterator[Readable]:
    """The unpacked bytes of a file; what damage makes the libraries raise becomes a sentence."""
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == GZIP
            stream.seek(0)
            yield _Unpacked(stream) if packed else stream
    except EOFError:
        raise UnreadableScan(text("nifti.ends_early")) from None
    except (IsalError, gzip.BadGzipFile):  # type: ignore[misc]  # isal's stub: it is a class
        raise UnreadableScan(text("nifti.damaged")) from None
    except (HeaderDataError, WrapStructError, ValueError, KeyError, OverflowError):
        raise UnreadableScan(text("nifti.unreadable")) from None


class _Unpacked:
    """What the members of a gzip file hold; whatever follows the last of them is no part of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._member = _member()
        self._packed = b""  # read, and not unpacked yet
        self._is_over = False
        self.has_junk = False

    def read(self, size: int) -> bytes:
        """The next `size` bytes, or fewer at the end. Raises EOFError for a file cut off."""
        content = bytearray()
        while len(content) < size and not self._is_over:
            packed = b""
            if self._member.needs_input:
                packed, self._packed = self._packed or self._stream.read(CHUNK), b""
                if not packed:
                    raise EOFError
            content += self._member.decompress(packed, min(size - len(content), CHUNK))
            if self._member.eof:
                self._start_next()
        return bytes(content)

    def _start_next(self) -> None:
        rest = self._member.unused_data
        rest += self._stream.read(2) if len(rest) < 2 else b""
        self._is_over = not rest.startswith(GZIP)
        self.has_junk = bool(rest) and self._is_over
        self._packed, self._member = rest, _member()


def _member() -> igzip_lib.IgzipDecompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


def header_in(start: bytes, is_pair: bool = False) -> nib.Nifti1Header:
    """The header in a file's first bytes, if a head scan can have its size."""
    kind = _header_class(start, is_pair)
    header = kind(start[: kind.template_dtype.itemsize], check=False)
    shape = lengths(header)
    if not shape or min(shape) < 1:
        raise UnreadableScan(text("nifti.no_voxels"))
    if prod(shape) > MAX_VOXELS:
        raise UnreadableScan(text("nifti.too_large", voxels=prod(shape), limit=MAX_VOXELS))
    if not 0 <= int(header["vox_offset"]) <= MAX_EXTENSION_BYTES:
        raise UnreadableScan(text("nifti.bad_offset"))
    return header


def _header_class(start: bytes, is_pair: bool) -> type[nib.Nifti1Header]:
    """NIfTI-1 or -2, by the mark in a file's first bytes. Raises UnreadableScan."""
    if not start:
        raise UnreadableScan(text("nifti.empty"))
    if len(start) >= 348 and start[344:347] in ((b"ni1", b"n+1") if is_pair else (b"n+1",)):
        return nib.Nifti1Header
    if len(start) >= 540 and start[4:7] in ((b"ni2", b"n+2") if is_pair else (b"n+2",)):
        return nib.Nifti2Header
    raise UnreadableScan(text("nifti.not_nifti"))


class _Data:
    """The bytes of a file's voxels, counted before they are believed.

    start: what was read of the stream already, its header at the front; None for the second file
    of a pair. is_odd: whether a reader that expects nothing but the standard could stumble.
    """

    def __init__(self, header: nib.Nifti1Header, stream: Readable, start: bytes | None) -> None:
        self._header = header
        self._stream = stream
        self._behind = 0 if start is None else header.template_dtype.itemsize
        self._ahead = b"" if start is None else start[self._behind :]
        self._mark = 0 if start is None else MARK_BYTES
        self.is_odd = start is None or lengths(header) != header.get_data_shape()
        self.notes: tuple[Note, ...] = ()

    def read_voxels(self) -> bytes:
        """All bytes of the voxels. Raises UnreadableScan."""
        shape = lengths(self._header)
        needed = prod(shape) * int(self._header.get_data_dtype().itemsize)
        if not needed:
            raise UnreadableScan(text("nifti.not_grey"))
        lead = int(self._header["vox_offset"]) - self._behind
        if lead < self._mark:  # it points into the header: they follow that, with a mark or without
            self.is_odd = True
            content = self._read(self._mark + needed)
            content = content[self._mark :] if len(content) > needed + 3 else content[:needed]
        else:
            self._pass_over(lead)
            content = self._read(needed)
        if len(content) < needed:
            raise UnreadableScan(text("nifti.cut_off"))
        self._see_rest(needed // max(shape))
        return content

    def _read(self, size: int) -> bytes:
        ahead, self._ahead = self._ahead[:size], self._ahead[size:]
        return ahead + self._stream.read(size - len(ahead)) if len(ahead) < size else ahead

    def _pass_over(self, size: int) -> int:
        """Read up to `size` bytes and forget them; how many there were."""
        left = size
        while left and (chunk := self._read(min(left, CHUNK))):
            left -= len(chunk)
        return size - left

    def _see_rest(self, face: int) -> None:
        """To the end of the file, where a damaged one is found out. face: bytes of its thinnest
        slice; whoever leaves so much over has said a wrong size."""
        rest = self._pass_over(MAX_LEFT_OVER_BYTES + 1)
        if rest > MAX_LEFT_OVER_BYTES:
            raise UnreadableScan(text("nifti.too_much_data"))
        if rest >= face:
            self.notes += (note("data_left_over"),)
        self.is_odd |= isinstance(self._stream, _Unpacked) and self._stream.has_junk


def _voxels(
    header: nib.Nifti1Header, content: bytes, grid: Geometry
) -> tuple[FloatArray, tuple[Note, ...]]:
    """The scaled values, finite everywhere, and what is doubtful of them."""
    kind = header.get_data_dtype()
    if kind.fields is not None or kind.kind == "c":
        raise UnreadableScan(text("nifti.not_grey"))
    stored = np.frombuffer(content, kind).reshape(grid.shape, order="F")
    slope, intercept = _scaling(header)
    voxels = _scaled(stored, slope, intercept)
    notes: tuple[Note, ...] = (note("negative_slope"),) if slope < 0 else ()
    ends = voxels.min(), voxels.max()
    if not np.isfinite(ends).all():
        finite = np.isfinite(voxels)
        if not finite.any():
            raise UnreadableScan(text("nifti.no_values"))
        ends = voxels[finite].min(), voxels[finite].max()
        notes += (note("missing_voxels", count=voxels.size - int(finite.sum())),)
        voxels = np.where(finite, voxels, -HUGEST)
        voxels[~finite] = range_of(axial_stack(voxels, grid.affine)).dark
    if _is_too_coarse(stored, *ends):
        raise UnreadableScan(text("nifti.bad_scaling"))
    return voxels, notes


def _scaling(header: nib.Nifti1Header) -> tuple[float, float]:
    """Slope and intercept; none where the slope is 0 or no number, as the standard has it."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0
    return slope, intercept if np.isfinite(intercept) else 0.0


def _scaled(stored: NDArray[np.generic], slope: float, intercept: float) -> FloatArray:
    if (slope, intercept) == (1, 0):
        return stored.astype(np.float32)
    voxels = np.empty(stored.shape, np.float32, order="F")
    for index in range(stored.shape[2]):
        voxels[..., index] = stored[..., index].astype(np.float64) * slope + intercept
    return voxels


def _is_too_coarse(stored: NDArray[np.generic], low: np.float32, high: np.float32) -> bool:
    """Whether 32 bits hold no more of what differs: the values lie too far from 0, or too near."""
    kind = np.finfo(np.float32)
    furthest = max(abs(float(low)), abs(float(high)))
    finest = FINEST * max(furthest * float(kind.eps), float(kind.smallest_normal))
    is_coarse = float(high) - float(low) < finest
    return is_coarse and bool(stored.min() != stored.max())


def _description(header: nib.Nifti1Header) -> str:
    return bytes(header["descrip"].tobytes()).split(b"\0")[0].decode("ascii", "replace")
