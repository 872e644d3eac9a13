"""Where a NIfTI header places its voxels: sform, qform and unit, and how far these agree."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.orientations import aff2axcodes
from numpy.typing import NDArray

from model.catalogue import text
from model.errors import UnreadableScan
from model.volume import Affine, Note, Scale, Volume, column_lengths, note

CODES = range(6)  # of what a position refers to, as NIfTI lists them
UNITS = {"mm": 1.0, "meter": 1000.0, "micron": 0.001}
SHORTEST_MM, LONGEST_MM = 0.01, 100.0  # of a voxel's side
FLAT = 1e-6  # of the product of its sides, the volume of a voxel that has none
ROUNDING = 1e-3  # of the grid's diagonal: what 32 bits leave unsure of a half turn's quaternion
SAME_MM = 1e-3  # by how much the affines of one grid may differ
MARK_BYTES = 4  # behind a header: whether extensions follow
CARRIED = (
    *("dim", "pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c"),
    *("quatern_d", "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"),
)


@dataclass(frozen=True)
class Geometry:
    """A volume's grid as its header tells: voxels along i, j, k, and the affine to RAS mm.

    notes: what is doubtful of it. carried: see `Volume.nifti_header`. is_plain: whether every
    reader finds this same place in the header.
    """

    shape: tuple[int, int, int]
    affine: Affine
    scale: Scale
    sides_known: bool
    notes: tuple[Note, ...]
    carried: bytes
    is_plain: bool


def geometry(header: nib.Nifti1Header) -> Geometry:
    """The sform, else the qform; sides are not known where the file declares neither."""
    shape = _three_axes(lengths(header))
    unit = _unit(header)
    sform, qform = (_in_mm(header, affine) for affine in (_sform(header), _qform(header)))
    notes: tuple[Note, ...] = () if unit in UNITS else (note("units_unknown"),)
    if any(int(header[field]) not in CODES for field in ("sform_code", "qform_code")):
        notes += (note("position_code_unknown"),)
    sides_known = bool(_code(header, "sform_code") or _code(header, "qform_code"))
    if not sides_known:
        notes += (note("orientation_unknown"),)
    elif sform is not None and _code(header, "qform_code"):
        doubt = _disagreement(sform, qform, shape)
        notes += (doubt,) if doubt else ()
        sides_known = doubt is None or doubt.code != "left_right_contradict"
    told = qform if sform is None else sform
    affine = _untold(header, shape) if told is None else told
    scale = Scale.DECLARED if unit in UNITS else Scale.ASSUMED
    is_plain = sides_known and not {each.code for each in notes} - {"units_unknown"}
    return Geometry(shape, affine, scale, sides_known, notes, _carried(header), is_plain)


def lengths(header: nib.Nifti1Header) -> tuple[int, ...]:
    """Voxels along each axis; a fourth or later one without a length counts as one, as in ITK."""
    shape = [int(length) for length in header.get_data_shape()]
    return (*shape[:3], *(max(length, 1) for length in shape[3:]))


def lies_on(drawn: Volume, volume: Volume) -> bool:
    """Whether a mask lies on a scan's grid, wherever a program that drew it may have placed that.

    One takes the sform, another the qform, where a file tells two; where it tells none, ITK takes
    the axes to be those of DICOM.
    """
    places = [volume.affine, volume.file_affine]
    if volume.nifti_header:
        header = header_of(volume.nifti_header)
        places += [_in_mm(header, _sform(header)), _in_mm(header, _qform(header))]
        if not (_code(header, "sform_code") or _code(header, "qform_code")):
            places.append(np.diag([*(np.array(volume.spacing) * [-1, -1, 1]), 1.0]))
    return drawn.shape == volume.shape and any(
        np.allclose(drawn.affine, place, rtol=0, atol=SAME_MM)
        for place in places
        if place is not None
    )


def header_of(carried: bytes) -> nib.Nifti1Header:
    """A header that `Geometry.carried` holds."""
    is_first = len(carried) == nib.Nifti1Header.template_dtype.itemsize
    kind: type[nib.Nifti1Header] = nib.Nifti1Header if is_first else nib.Nifti2Header
    return kind(carried, check=False)


def _carried(header: nib.Nifti1Header) -> bytes:
    """A header of the same version that tells the same geometry in the same bits, and no more."""
    is_first = header.template_dtype.itemsize == nib.Nifti1Header.template_dtype.itemsize
    kind: type[nib.Nifti1Header] = nib.Nifti1Header if is_first else nib.Nifti2Header
    blank = kind(endianness="<")
    for field in CARRIED:
        blank[field] = header[field]
    shape = lengths(header)
    blank["dim"][1 : 1 + len(shape)] = shape
    blank["scl_slope"], blank["scl_inter"] = 1, 0
    return bytes(blank.binaryblock)


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


def _code(header: nib.Nifti1Header, field: str) -> int:
    """What a form is said to be aligned with; 0 where it is not to be used."""
    return max(0, int(header[field]))


def _sform(header: nib.Nifti1Header) -> Affine | None:
    if not _code(header, "sform_code"):
        return None
    affine = np.eye(4)
    affine[:3] = [header["srow_x"], header["srow_y"], header["srow_z"]]
    return affine


def _qform(header: nib.Nifti1Header) -> Affine | None:
    """The quaternion's affine; one that is too long is brought to length 1, as in nifti_clib."""
    if not _code(header, "qform_code"):
        return None
    imaginary = np.array([header[f"quatern_{axis}"] for axis in "bcd"], np.float64)
    squared = 1 - float(imaginary @ imaginary)
    if squared < 1e-7:
        imaginary /= np.linalg.norm(imaginary)
        squared = 0.0
    sizes = _sizes(header)
    qfac = np.array([1, 1, -1 if header["pixdim"][0] < 0 else 1])
    affine = np.eye(4)
    affine[:3, :3] = _rotation(np.sqrt(squared), imaginary) * sizes * qfac
    affine[:3, 3] = [header[f"qoffset_{axis}"] for axis in "xyz"]
    return affine if (sizes > 0).all() else None


def _sizes(header: nib.Nifti1Header) -> NDArray[np.float64]:
    """The voxels' sides as told; 1 where a single slice has no thickness."""
    sizes = np.array(header["pixdim"][1:4], np.float64)
    shape = (*lengths(header), 1, 1)[:3]
    return np.where((sizes == 0) & (np.array(shape) == 1), 1.0, sizes)


def _rotation(a: float, imaginary: NDArray[np.float64]) -> NDArray[np.float64]:
    b, c, d = imaginary
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


def _in_mm(header: nib.Nifti1Header, affine: Affine | None) -> Affine | None:
    """The affine in mm, or None where no head scan can lie so."""
    if affine is None:
        return None
    moved = affine.copy()
    moved[:3] *= UNITS.get(_unit(header), 1.0)
    return moved if _fault(moved) is None else None


def _fault(affine: Affine) -> str | None:
    """What is wrong with an affine to mm: the key of its sentence."""
    if not np.isfinite(affine).all():
        return "nifti.bad_position"
    sides = np.array(column_lengths(affine))
    if not abs(np.linalg.det(affine[:3, :3])) > FLAT * sides.prod():
        return "nifti.bad_position"
    if sides.min() < SHORTEST_MM or sides.max() > LONGEST_MM:
        return "nifti.bad_voxel_size"
    return None


def _untold(header: nib.Nifti1Header, shape: tuple[int, int, int]) -> Affine:
    """Where neither form is told, the voxels' sizes alone, around the middle of the grid.

    Raises UnreadableScan where one is told that is not valid, or the sizes are not.
    """
    affine = _sform(header)
    if affine is None and _code(header, "qform_code"):
        affine = _qform(header)
        if affine is None:
            raise UnreadableScan(text("nifti.bad_voxel_size"))
    if affine is None:
        sizes = np.abs(_sizes(header)) * [-1, 1, 1]
        affine = np.diag([*sizes, 1.0])
        affine[:3, 3] = -sizes * (np.array(shape) - 1) / 2
    affine[:3] *= UNITS.get(_unit(header), 1.0)
    fault = _fault(affine)
    if fault:
        raise UnreadableScan(text(fault))
    return affine


def _disagreement(sform: Affine, qform: Affine | None, shape: tuple[int, int, int]) -> Note | None:
    """Whether the two forms put the grid's corners in two places, by more than rounding."""
    if qform is None:
        return note("qform_invalid")
    corners = np.array([*np.ndindex(2, 2, 2)]) * (np.array(shape) - 1)
    apart = (sform - qform)[:3, :3] @ corners.T + (sform - qform)[:3, 3:]
    most = float(np.linalg.norm(apart, axis=0).max())
    if most <= ROUNDING * float(np.linalg.norm(np.array(column_lengths(sform)) * shape)):
        return None
    if _sides(sform) != _sides(qform):
        return note("left_right_contradict")
    return note("sform_qform_differ", mm=most)


def _sides(affine: Affine) -> tuple[bool, tuple[bool, ...], tuple[bool, ...]]:
    """Which hand the grid is of, and which of its axes run to the right and to the left."""
    codes = aff2axcodes(affine)
    is_right_handed = bool(np.linalg.det(affine[:3, :3]) > 0)
    return is_right_handed, tuple(c == "R" for c in codes), tuple(c == "L" for c in codes)
