"""Headers that people really have: read as other readers read them, flagged, or refused."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from daemon.outputs.scan_folder import save_mask
from model.errors import UnreadableScan
from model.reading.drawn_masks import read_corrected
from model.reading.nifti import geometry_of, read_nifti
from model.reading.read import read, scan_at
from model.volume import Scale
from tests.phantoms.heads import codes, grid
from tools.experiments.nifti_grids import (
    ODD,
    Order,
    Parts,
    apart,
    itk_affine,
    nibabel_affine,
    parts_of,
    write,
)

SHAPE = (9, 11, 7)
AFFINE = grid(SHAPE, (0.9, 1.1, 3.0), (5, -9, 12), (10, 20, -15))
VOXELS = np.random.default_rng(1).integers(0, 900, SHAPE).astype(np.int16)
MARKED = (VOXELS > 450).astype(np.uint8)
KINDS: list[tuple[int, Order, bool]] = [
    (1, "<", True),
    (1, ">", False),
    (2, "<", False),
    (2, ">", True),
]
FLAGS = {
    "no unit": ["units_unknown"],
    "neither form": ["orientation_unknown"],
    "sform 2 elsewhere": ["sform_qform_differ"],
    "sform mirrored": ["left_right_contradict"],
    "sform half turned": ["left_right_contradict"],
}
NO_SIDE = ("neither form", "sform mirrored", "sform half turned")
ITK_TAKES_THE_QFORM = ("sform 2 elsewhere",)
PACKED_ALONE = ("bytes behind gzip",)  # there is no member for them to lie behind


def odd(folder: Path, name: str, version: int = 1, order: Order = "<", packed: bool = True) -> Path:
    parts = parts_of(VOXELS, AFFINE, version, order)
    ODD[name](parts)
    return write(parts, folder, packed or name in PACKED_ALONE)


@pytest.mark.parametrize(("version", "order", "packed"), KINDS)
@pytest.mark.parametrize("name", ODD)
def test_odd_headers_are_read_and_flagged(
    tmp_path: Path, name: str, version: int, order: Order, packed: bool
) -> None:
    path = odd(tmp_path, name, version, order, packed)
    volume = read_nifti(path)
    assert np.array_equal(volume.voxels, VOXELS)
    assert codes(volume.notes) == FLAGS.get(name, [])
    assert volume.sides_known is (name not in NO_SIDE)
    assert geometry_of(path).affine == pytest.approx(volume.affine)
    if name not in (*NO_SIDE, *ITK_TAKES_THE_QFORM, "quaternion too long"):
        assert apart(volume.affine, AFFINE, SHAPE) < 0.01


@pytest.mark.parametrize("name", ODD)
def test_the_image_and_its_mask_lie_in_one_place_for_itk(tmp_path: Path, name: str) -> None:
    path, mask = odd(tmp_path, name), tmp_path / "m_seg.nii.gz"
    volume = read_nifti(path)
    save_mask(MARKED, volume, mask)
    assert (itk_affine(path) == itk_affine(mask)).all()
    drawn = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(mask)))
    assert np.array_equal(drawn.T.reshape(SHAPE), MARKED)
    if name not in ITK_TAKES_THE_QFORM and volume.sides_known:
        assert apart(itk_affine(path), volume.affine, SHAPE) < 0.001


@pytest.mark.parametrize(("version", "order", "packed"), KINDS)
@pytest.mark.parametrize("name", ODD)
def test_the_mask_has_the_bits_of_the_scans_own_geometry(
    tmp_path: Path, name: str, version: int, order: Order, packed: bool
) -> None:
    parts = parts_of(VOXELS, AFFINE, version, order)
    ODD[name](parts)
    volume = read_nifti(write(parts, tmp_path, packed or name in PACKED_ALONE))
    save_mask(MARKED, volume, tmp_path / "mask.nii.gz")
    if name == "quaternion too long":  # nibabel reads neither the scan nor this
        return
    kind = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    mask = kind.from_filename(tmp_path / "mask.nii.gz")
    for field in ("pixdim", "xyzt_units", "sform_code", "qform_code", "qoffset_z", "quatern_d"):
        assert (mask.header[field] == parts.header[field]).all(), field
    for field in ("srow_x", "srow_y", "srow_z"):
        assert (mask.header[field] == parts.header[field]).all(), field
    assert (mask.header["dim"][1:4] == SHAPE).all()
    assert np.array_equal(np.asarray(mask.dataobj).reshape(SHAPE), MARKED)
    assert read_nifti(tmp_path / "mask.nii.gz").affine == pytest.approx(volume.affine, abs=1e-9)


@pytest.mark.parametrize("name", ["micron", "meter", "sform 2 elsewhere", "sform 0"])
def test_nibabel_puts_the_mask_on_the_image(tmp_path: Path, name: str) -> None:
    path = odd(tmp_path, name)
    save_mask(MARKED, read_nifti(path), tmp_path / "mask.nii.gz")
    assert (nibabel_affine(path) == nibabel_affine(tmp_path / "mask.nii.gz")).all()


def test_a_mask_that_itk_saved_is_taken_wherever_itk_put_it(tmp_path: Path) -> None:
    for name in ODD.keys() - {"vox_offset 0"}:  # of which ITK takes the mark for voxels
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        path = odd(folder, name)
        volume = read_nifti(path)
        image = SimpleITK.ReadImage(str(path))
        drawn = SimpleITK.Cast(image > 450, SimpleITK.sitkUInt8)  # type: ignore[no-untyped-call]
        SimpleITK.WriteImage(drawn, str(folder / "drawn.nii.gz"))
        assert np.array_equal(read_corrected(folder / "drawn.nii.gz", volume), MARKED), name


@pytest.mark.parametrize("millimetres", [0.02, 0.5])
def test_forms_that_differ_by_rounding_alone_are_not_flagged(
    tmp_path: Path, millimetres: float
) -> None:
    shape = (120, 130, 60)
    affine = grid(shape, (1.5, 1.5, 3.0), (5, -9, 12), (179.9, 0.02, -0.01))
    parts = parts_of(np.zeros(shape, np.int16), affine)
    moved = affine.copy()
    moved[0, 3] += millimetres
    parts.header.set_sform(moved, 1)
    flags = codes(read_nifti(write(parts, tmp_path)).notes)
    assert flags == ([] if millimetres < 0.1 else ["sform_qform_differ"])


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_qform_that_is_not_valid_is_told(tmp_path: Path, scale: float) -> None:
    parts = parts_of(VOXELS, AFFINE)
    parts.header["pixdim"][2] = scale
    volume = read_nifti(write(parts, tmp_path))
    assert codes(volume.notes) == ["qform_invalid"]
    assert apart(volume.affine, AFFINE, SHAPE) < 0.01
    parts.header["sform_code"] = 0
    with pytest.raises(UnreadableScan, match="voxel size"):
        read_nifti(write(parts, tmp_path))


def test_what_is_left_over_is_told(tmp_path: Path) -> None:
    for axis in range(3):
        parts = parts_of(VOXELS, AFFINE)
        parts.header["dim"][1 + axis] -= 1
        flags = codes(read_nifti(write(parts, tmp_path)).notes)
        assert "data_left_over" in flags


def _scaled(slope: float, intercept: float) -> Parts:
    parts = parts_of(VOXELS, AFFINE)
    parts.header["scl_slope"], parts.header["scl_inter"] = slope, intercept
    return parts


@pytest.mark.parametrize(
    ("slope", "intercept", "factor"),
    [(0, 7, 1), (np.nan, 7, 1), (np.inf, 7, 1), (2, np.nan, 2), (1e-30, 0, 1e-30)],
)
def test_a_slope_that_is_none_scales_nothing(
    tmp_path: Path, slope: float, intercept: float, factor: float
) -> None:
    volume = read_nifti(write(_scaled(slope, intercept), tmp_path))
    assert volume.voxels == pytest.approx(VOXELS * factor, rel=1e-6)
    assert volume.notes == ()


def test_scaling_that_turns_or_swallows_the_values_is_told(tmp_path: Path) -> None:
    assert codes(read_nifti(write(_scaled(-1, 900), tmp_path)).notes) == ["negative_slope"]
    for slope, intercept in ((1, 1e9), (1e-45, 0)):
        with pytest.raises(UnreadableScan, match="slope and intercept"):
            read_nifti(write(_scaled(slope, intercept), tmp_path))


@pytest.mark.parametrize("loud", [True, False])
def test_a_pair_is_found_by_either_of_its_files(tmp_path: Path, loud: bool) -> None:
    header = odd(tmp_path, "pair")
    voxels = header.with_suffix(".img")
    if loud:
        header = header.rename(header.with_suffix(".HDR"))
        voxels = voxels.rename(voxels.with_suffix(".IMG"))
    for path in (header, voxels):
        scan = scan_at(path)
        assert set(scan.files) == {header, voxels}
        assert np.array_equal(read(scan).voxels, VOXELS)
        assert np.array_equal(read_nifti(path).voxels, VOXELS)
    voxels.unlink()
    with pytest.raises(UnreadableScan, match="only one is here"):
        read(scan_at(header))


def test_a_pair_without_units_says_so(tmp_path: Path) -> None:
    nib.Nifti1Pair(VOXELS, AFFINE).to_filename(tmp_path / "scan.img")
    volume = read_nifti(tmp_path / "scan.img")
    assert (volume.scale, codes(volume.notes)) == (Scale.ASSUMED, ["units_unknown"])
    assert apart(volume.affine, AFFINE, SHAPE) < 0.01
    assert volume.needs_copy


def test_several_members_of_a_gzip_file_are_one(tmp_path: Path) -> None:
    whole = write(parts_of(VOXELS, AFFINE), tmp_path, packed=False).read_bytes()
    path = tmp_path / "members.nii.gz"
    path.write_bytes(b"".join(gzip.compress(whole[n : n + 500]) for n in range(0, len(whole), 500)))
    assert np.array_equal(read_nifti(path).voxels, VOXELS)
