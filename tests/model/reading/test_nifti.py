"""NIfTI files that people really have: units, orientation, extra axes, missing values."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import UnreadableScan
from model.reading.nifti import read_nifti
from model.reading.read import read
from model.volume import Kind, Scale, Scan, Volume
from tests.phantoms.heads import ORDERS, codes, grid, write_nifti

SHAPE = (9, 11, 7)
AFFINE = grid(SHAPE, (0.9, 1.1, 3.0), (5, -9, 12), (10, 20, -15))
VOXELS = np.random.default_rng(1).integers(0, 900, SHAPE).astype(np.int16)


def reason(file: Path) -> str:
    with pytest.raises(UnreadableScan) as refused:
        read(Scan(Kind.NIFTI, (file,)))
    return str(refused.value)


def with_data(folder: Path, voxels: NDArray[Any], unit: str = "mm") -> Path:
    return write_nifti(folder / "scan.nii.gz", voxels, AFFINE, unit)


def test_voxels_and_place_are_read_as_written(tmp_path: Path) -> None:
    volume = read_nifti(with_data(tmp_path, VOXELS))
    assert np.array_equal(volume.voxels, VOXELS.astype(np.float32))
    assert volume.voxels.dtype == np.float32
    assert volume.affine == pytest.approx(AFFINE, abs=1e-5)
    assert (volume.kind, volume.scale, volume.sides_known) == (Kind.NIFTI, Scale.DECLARED, True)
    assert volume.notes == ()


@pytest.mark.parametrize("number", range(0, 48, 5))
def test_every_storage_order_keeps_its_affine(tmp_path: Path, number: int) -> None:
    voxels, affine = ORDERS[number].apply(VOXELS, AFFINE)
    volume = read_nifti(write_nifti(tmp_path / "scan.nii", voxels, affine))
    assert volume.affine == pytest.approx(affine, abs=1e-4)
    assert np.array_equal(volume.voxels, voxels)


def test_nifti_2_reads(tmp_path: Path) -> None:
    nib.Nifti2Image(VOXELS, AFFINE).to_filename(tmp_path / "two.nii.gz")
    volume = read_nifti(tmp_path / "two.nii.gz")
    assert np.array_equal(volume.voxels, VOXELS)
    assert volume.affine == pytest.approx(AFFINE, abs=1e-9)


def test_big_endian_reads(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VOXELS, AFFINE, nib.Nifti1Header(endianness=">"))
    image.to_filename(tmp_path / "big.nii")
    assert np.array_equal(read_nifti(tmp_path / "big.nii").voxels, VOXELS)


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    content = bytearray(write_nifti(tmp_path / "a.nii", VOXELS, AFFINE).read_bytes())
    content[112:120] = np.array([0.5, -20], "<f4").tobytes()  # scl_slope, scl_inter
    (tmp_path / "a.nii").write_bytes(content)
    assert np.allclose(read_nifti(tmp_path / "a.nii").voxels, VOXELS * 0.5 - 20)


@pytest.mark.parametrize(("unit", "per_mm"), [("meter", 1000.0), ("micron", 0.001)])
def test_other_units_become_millimetres(tmp_path: Path, unit: str, per_mm: float) -> None:
    affine = AFFINE.copy()
    affine[:3] /= per_mm
    volume = read_nifti(write_nifti(tmp_path / "scan.nii", VOXELS, affine, unit))
    assert volume.affine == pytest.approx(AFFINE, rel=1e-4)
    assert (volume.scale, volume.notes) == (Scale.DECLARED, ())


def test_undeclared_units_are_taken_for_mm_and_said(tmp_path: Path) -> None:
    volume = read_nifti(with_data(tmp_path, VOXELS, "unknown"))
    assert (volume.scale, codes(volume.notes)) == (Scale.ASSUMED, ["units_unknown"])
    assert volume.affine == pytest.approx(AFFINE, abs=1e-5)


def test_without_sform_and_qform_the_sides_are_unknown(tmp_path: Path) -> None:
    volume = read_nifti(write_nifti(tmp_path / "scan.nii", VOXELS, None))
    assert not volume.sides_known
    assert codes(volume.notes) == ["orientation_unknown"]


def test_the_qform_alone_is_enough(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VOXELS, AFFINE)
    image.header.set_xyzt_units("mm")
    image.set_qform(AFFINE, "scanner")
    image.set_sform(None, 0)
    image.to_filename(tmp_path / "scan.nii")
    volume = read_nifti(tmp_path / "scan.nii")
    assert volume.sides_known
    assert volume.affine == pytest.approx(AFFINE, abs=1e-4)


@pytest.mark.parametrize("extra", [(1,), (1, 1), (1, 1, 1, 1)])
def test_trailing_axes_of_length_1_are_dropped(tmp_path: Path, extra: tuple[int, ...]) -> None:
    volume = read_nifti(with_data(tmp_path, VOXELS.reshape(*SHAPE, *extra)))
    assert volume.shape == SHAPE
    assert np.array_equal(volume.voxels, VOXELS)


@pytest.mark.parametrize("shape", [(9, 11, 7, 2), (9, 11, 1, 7), (9, 11, 7, 1, 2)])
def test_more_than_one_volume_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    text = reason(with_data(tmp_path, np.zeros(shape, np.int16)))
    assert text == f"Expected one 3D volume, found {len(shape)} dimensions."


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 1), (40, 1, 50), (1, 40, 50)])
def test_one_slice_is_analyzed_like_a_picture(tmp_path: Path, shape: tuple[int, ...]) -> None:
    volume = read_nifti(with_data(tmp_path, np.ones(shape, np.int16)))
    assert volume.is_picture
    assert sorted(volume.shape) == [1, 40, 50]


@pytest.mark.parametrize("shape", [(7,), (7, 1), (1, 7, 1), (1, 1, 1)])
def test_a_line_of_voxels_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert reason(with_data(tmp_path, np.ones(shape, np.int16))).endswith(".")


def test_all_voxels_missing_is_refused(tmp_path: Path) -> None:
    voxels = np.full(SHAPE, np.nan, np.float32)
    assert reason(with_data(tmp_path, voxels)) == "No voxel of the volume has a value."


def test_a_few_missing_voxels_become_0_and_are_counted(tmp_path: Path) -> None:
    voxels = VOXELS.astype(np.float64)
    voxels[0, 0, :3], voxels[1, 1, 1] = np.nan, np.inf
    volume: Volume = read_nifti(with_data(tmp_path, voxels))
    assert codes(volume.notes) == ["missing_voxels"]
    assert volume.notes[0].message == "4 voxels without a value were taken for air."
    assert np.isfinite(volume.voxels).all()
    assert volume.voxels[1, 1, 1] == 0
    assert volume.voxels[2, 2, 2] == VOXELS[2, 2, 2]


@pytest.mark.parametrize(
    "kind", [np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]), np.dtype(np.complex64)]
)
def test_colours_and_complex_numbers_are_refused(tmp_path: Path, kind: np.dtype[Any]) -> None:
    assert "colours or complex" in reason(with_data(tmp_path, np.zeros(SHAPE, kind)))


@pytest.mark.parametrize("millimetres", [0.001, 500.0])
def test_an_absurd_voxel_size_is_refused(tmp_path: Path, millimetres: float) -> None:
    file = write_nifti(tmp_path / "a.nii", VOXELS, np.diag([millimetres] * 3 + [1.0]))
    assert "voxel size" in reason(file)


def test_a_singular_affine_alone_is_refused(tmp_path: Path) -> None:
    content = bytearray(write_nifti(tmp_path / "flat.nii", VOXELS, AFFINE).read_bytes())
    content[312:328] = content[280:296]  # srow_z = srow_x
    content[252:254] = bytes(2)  # qform_code
    (tmp_path / "flat.nii").write_bytes(content)
    assert "voxel position" in reason(tmp_path / "flat.nii")


def test_the_description_is_kept(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VOXELS, AFFINE)
    image.header["descrip"] = b"FLAIR"
    image.to_filename(tmp_path / "scan.nii")
    assert read_nifti(tmp_path / "scan.nii").description == "FLAIR"


@pytest.mark.parametrize("length", [20, 5000])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_header_extensions_do_no_harm(
    tmp_path: Path, kind: type[nib.Nifti1Image], length: int
) -> None:
    image = kind(VOXELS, AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * length))
    image.to_filename(tmp_path / "extended.nii.gz")
    assert np.array_equal(read_nifti(tmp_path / "extended.nii.gz").voxels, VOXELS)
