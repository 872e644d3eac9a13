"""`python -m tools.experiments.nifti_grids FILE...`: does our mask lie where others see the image?

Without files: the sample TCGA-FG-6692, its header made odd in every way that people reported.
"""

import gzip
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import nibabel as nib
import numpy as np
import SimpleITK
import typer
from numpy.typing import NDArray

from daemon.outputs.scan_folder import save_mask
from model.errors import UnreadableScan
from model.reading.nifti import read_nifti
from model.volume import Affine
from tools.sample_study import RAS_TO_LPS, SOURCE

Order = Literal["<", ">"]
MARK = bytes(4)  # behind a header: no extension follows
TURN_MM = 20.0


@dataclass
class Parts:
    """A NIfTI file before it is put together."""

    header: nib.Nifti1Header
    between: bytes
    voxels: bytes
    pair: bool = False
    behind: bytes = b""


def parts_of(voxels: NDArray[Any], affine: Affine, version: int = 1, order: Order = "<") -> Parts:
    """A sound file of NIfTI-1 or -2, "<" little or ">" big endian, in mm, with both forms."""
    kind: type[nib.Nifti1Header] = nib.Nifti1Header if version == 1 else nib.Nifti2Header
    header = kind(endianness=order)
    header.set_data_dtype(voxels.dtype.newbyteorder(order))
    header.set_data_shape(voxels.shape)
    header.set_xyzt_units("mm")
    header.set_qform(affine, "scanner", strip_shears=True)
    header.set_sform(affine, "scanner")
    header["vox_offset"] = header.template_dtype.itemsize + len(MARK)
    header["scl_slope"], header["scl_inter"] = 1, 0
    return Parts(header, MARK, voxels.astype(header.get_data_dtype()).tobytes(order="F"))


def write(parts: Parts, folder: Path, packed: bool = True) -> Path:
    """The file, or the header of a pair."""
    pack = gzip.compress if packed else bytes
    block = bytes(parts.header.binaryblock)
    if parts.pair:
        (folder / "scan.img").write_bytes(parts.voxels)
        (folder / "scan.hdr").write_bytes(block + MARK)
        return folder / "scan.hdr"
    path = folder / ("scan.nii.gz" if packed else "scan.nii")
    path.write_bytes(pack(block + parts.between + parts.voxels) + parts.behind)
    return path


def _in_unit(unit: str, factor: float) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        header = parts.header
        affine = header.get_sform()
        affine[:3] *= factor
        header.set_qform(affine, "scanner", strip_shears=True)
        header.set_sform(affine, "scanner")
        header.set_xyzt_units(unit)

    return change


def _with_sform(change: Callable[[Affine], object], code: int = 1) -> Callable[[Parts], None]:
    def changed(parts: Parts) -> None:
        affine = parts.header.get_sform()
        change(affine)
        parts.header.set_sform(affine, code)

    return changed


def _no_forms(parts: Parts) -> None:
    parts.header["sform_code"] = parts.header["qform_code"] = 0


def _qform_alone(parts: Parts) -> None:
    parts.header["sform_code"] = 0


def _sform_alone(parts: Parts) -> None:
    parts.header["qform_code"] = 0


def _flat(affine: Affine) -> None:
    affine[2] = affine[0]


def _zero(affine: Affine) -> None:
    affine[:] = 0


def _mirrored(affine: Affine) -> None:
    affine[0] *= -1


def _moved(affine: Affine) -> None:
    affine[:3, 3] += (TURN_MM, -TURN_MM / 2, TURN_MM)


def _half_turned(affine: Affine) -> None:
    affine[:2] *= -1


def _long_quaternion(parts: Parts) -> None:
    """Longer than 1 by what rounding in other programs leaves, the sform not to be used."""
    _qform_alone(parts)
    fields = [f"quatern_{axis}" for axis in "bcd"]
    turned = np.array([float(parts.header[field]) for field in fields])
    longer = turned / np.linalg.norm(turned) * 1.00002
    for field, value in zip(fields, longer, strict=True):
        parts.header[field] = value


def _fourth_axis_0(parts: Parts) -> None:
    parts.header["dim"][0], parts.header["dim"][4] = 4, 0


def _long_extension(parts: Parts) -> None:
    length = 12_000_000
    order: Literal["little", "big"] = "little" if parts.header.endianness == "<" else "big"
    told = length.to_bytes(4, order) + (6).to_bytes(4, order)
    parts.between = bytes([1, 0, 0, 0]) + told + bytes(length - 8)
    parts.header["vox_offset"] += length


def _offset_0(parts: Parts) -> None:
    parts.header["vox_offset"], parts.between = 0, b""


def _offset_0_marked(parts: Parts) -> None:
    parts.header["vox_offset"] = 0


def _junk_behind(parts: Parts) -> None:
    parts.behind = b"sixteen bytes..\n"


def _pair(parts: Parts) -> None:
    is_first = parts.header.template_dtype.itemsize == 348
    parts.header["magic"] = b"ni1" if is_first else b"ni2"
    parts.header["vox_offset"], parts.pair = 0, True


ODD: dict[str, Callable[[Parts], None]] = {
    "as it is": lambda parts: None,
    "micron": _in_unit("micron", 1000.0),
    "meter": _in_unit("meter", 0.001),
    "no unit": _in_unit("unknown", 1.0),
    "sform alone": _sform_alone,
    "qform alone": _qform_alone,
    "neither form": _no_forms,
    "sform 0": _with_sform(_zero),
    "sform singular": _with_sform(_flat),
    "sform 2 elsewhere": _with_sform(_moved, 2),
    "sform mirrored": _with_sform(_mirrored),
    "sform half turned": _with_sform(_half_turned),
    "quaternion too long": _long_quaternion,
    "dim[4] is 0": _fourth_axis_0,
    "extension of 12 MB": _long_extension,
    "vox_offset 0, no mark": _offset_0,
    "vox_offset 0": _offset_0_marked,
    "bytes behind gzip": _junk_behind,
    "pair": _pair,
}


def itk_affine(path: Path) -> Affine:
    """The affine to RAS mm by which ITK places a file. Raises RuntimeError."""
    image = SimpleITK.ReadImage(str(path))
    sides: int = image.GetDimension()  # type: ignore[no-untyped-call]
    affine = np.eye(4)
    turn: list[float] = image.GetDirection()  # type: ignore[no-untyped-call]
    spacing: list[float] = image.GetSpacing()  # type: ignore[no-untyped-call]
    origin: list[float] = image.GetOrigin()  # type: ignore[no-untyped-call]
    affine[:sides, :sides] = np.array(turn).reshape(sides, sides) * np.array(spacing)
    affine[:sides, 3] = origin
    return np.asarray(RAS_TO_LPS @ affine, np.float64)


def nibabel_affine(path: Path) -> Affine:
    """The affine by which nibabel places a file, in the file's own unit."""
    loaded: Any = nib.loadsave.load(path)
    return np.asarray(loaded.affine, np.float64)


def apart(one: Affine, other: Affine, shape: tuple[int, ...]) -> float:
    """The largest distance (mm) between the corners of a grid under two affines."""
    corners = np.array([*np.ndindex(2, 2, 2)]) * (np.array(shape) - 1)
    moved = corners @ (one - other)[:3, :3].T + (one - other)[:3, 3]
    return float(np.linalg.norm(moved, axis=1).max())


def _cells(path: Path, scratch: Path) -> list[str]:
    """Us beside ITK in mm; whether our mask lies on the image in ITK and in nibabel; our doubts."""
    try:
        volume = read_nifti(path)
    except UnreadableScan as refused:
        return ["refused", "", "", str(refused)]
    mask = scratch / "mask_seg.nii.gz"
    save_mask(np.zeros(volume.shape, np.uint8), volume, mask)
    doubts = ", ".join(note.code for note in volume.notes)
    try:
        image = itk_affine(path)
        by_itk = f"{apart(image, volume.affine, volume.shape):.4f}"
        on_image = "yes" if (image == itk_affine(mask)).all() else "no"
    except RuntimeError:
        by_itk, on_image = "not read", "not read"
    return [by_itk, on_image, _same_in_nibabel(path, mask), doubts]


def _same_in_nibabel(path: Path, mask: Path) -> str:
    try:
        return "yes" if (nibabel_affine(path) == nibabel_affine(mask)).all() else "no"
    except (ValueError, nib.spatialimages.HeaderDataError):
        return "not read"


def show(
    files: Annotated[list[Path] | None, typer.Argument(exists=True, dir_okay=False)] = None,
) -> None:
    """A row for each file: largest distance to ITK's grid, and where our mask lies for others."""
    typer.echo("| file | from ITK (mm) | on the image in ITK | in nibabel | flags |")
    typer.echo("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        named = [(path.name.split(".")[0], path) for path in files or ()]
        for name, path in named or _odd_samples(scratch):
            typer.echo(f"| {' | '.join([name, *_cells(path, scratch)])} |")


def _odd_samples(scratch: Path) -> list[tuple[str, Path]]:
    sample = read_nifti(SOURCE)
    voxels = sample.voxels.astype(np.int16)
    made: list[tuple[str, Path]] = []
    kinds: tuple[tuple[int, Order, str], ...]
    kinds = ((1, "<", ""), (1, ">", "as it is"), (2, "<", "as it is"))
    for version, order, only in kinds:
        kind = f"NIfTI-{version}, {'little' if order == '<' else 'big'}-endian"
        for name, change in ODD.items():
            if only in ("", name):
                parts = parts_of(voxels, sample.affine, version, order)
                change(parts)
                folder = scratch / f"{version}{ord(order)}-{len(made)}"
                folder.mkdir()
                made.append((kind if only else name, write(parts, folder)))
    return made


if __name__ == "__main__":
    typer.run(show)
