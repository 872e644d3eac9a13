"""The numbers that a report gives: millimetres, a few slices, a picture, or nothing analyzed."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from daemon.outputs.report_builder import Occasion, build_report
from daemon.outputs.scan_folder import write_files
from daemon.report_parts import Network, Seconds
from model.inference.segmentation import Segmentation
from model.measurement.findings import Finding, Findings, measure
from model.measurement.midplane import midplane_of_head
from model.reading.nifti import read_nifti
from model.volume import Kind, Note, Scale, Volume
from tests.phantoms.heads import ORDERS, grid, head

PHANTOM = head(lesion=(38, 30, 12), radius=16)
VOXELS = int(PHANTOM.lesion.sum())


def report_of(volume: Volume, findings: Findings) -> dict[str, Any]:
    """A report as another program would read it."""
    seconds = Seconds(read=0.1, segment=0.2, write=0.3)
    occasion = Occasion("abc", "P1", 1, "0" * 64, seconds)
    network = Network(name="unet", weights_sha256="f" * 64, threshold=0.5)
    report = build_report(volume, findings, network, occasion, lobes=None)
    read: dict[str, Any] = json.loads(json.dumps(report.as_json(), allow_nan=False))
    return read


def measured(volume: Volume, mask: np.ndarray[Any, Any] = PHANTOM.lesion) -> dict[str, Any]:
    probability = mask * np.float32(0.75)
    findings = measure(mask, volume.affine, midplane_of_head(volume), probability, volume.notes)
    return report_of(volume, findings)


def picture() -> tuple[Volume, np.ndarray[Any, Any]]:
    """One slice of the phantom as a picture without a scale."""
    index = int(PHANTOM.lesion.sum(axis=(0, 1)).argmax())
    mask = PHANTOM.lesion[:, :, index : index + 1]
    return PHANTOM.volume(
        voxels=PHANTOM.voxels[:, :, index : index + 1],
        affine=np.diag([-1.0, -1.0, 1.0, 1.0]),
        kind=Kind.IMAGE,
        scale=Scale.UNKNOWN,
        sides_known=False,
        notes=(Note("no_scale", "A picture has no scale."),),
    ), mask


def test_a_scan_in_millimetres_has_every_number() -> None:
    report = measured(PHANTOM.volume(description="FLAIR", acquired_at="2024-02-29"))
    (lesion,) = report["lesions"]
    assert report["finding"] == "tumor"
    assert report["volume_ml"] == lesion["volume_ml"] == pytest.approx(VOXELS * 0.08, abs=1e-4)
    assert report["volume_voxels"] == lesion["voxels"] == VOXELS
    assert "area_px" not in report
    assert "area_mm2" not in report
    assert lesion["side"] == "right"
    assert lesion["longest_diameter_mm"] == pytest.approx(32, abs=4)
    assert lesion["perpendicular_diameter_mm"] == pytest.approx(32, abs=4)
    assert lesion["centroid_ras_mm"] == pytest.approx([38, 30, 12], abs=1)
    assert lesion["mean_probability"] == 0.75
    assert report["input"]["spacing_mm"] == [4, 4, 5]
    assert report["input"]["orientation"] == "RAS"
    assert report["input"]["shape"] == list(PHANTOM.voxels.shape)
    assert (report["input"]["description"], report["input"]["acquired_at"]) == (
        "FLAIR",
        "2024-02-29",
    )


def test_the_report_is_the_same_in_whatever_order() -> None:
    reference = measured(PHANTOM.volume())
    for order in ORDERS[::5]:  # each axis in each place
        turned = PHANTOM.stored(order)
        report = measured(turned.volume(), turned.lesion)
        assert report["input"]["orientation"] == "".join(nib.aff2axcodes(turned.affine))
        assert report["volume_ml"] == reference["volume_ml"]
        for name, value in reference["lesions"][0].items():
            if name not in ("diameter_slice", "largest_slice"):  # these count in the file's order
                assert report["lesions"][0][name] == value, (order, name)


def test_a_few_slices_have_an_area_and_no_volume() -> None:
    index = int(PHANTOM.lesion.sum(axis=(0, 1)).argmax())
    few = slice(index - 1, index + 2)
    mask = PHANTOM.lesion[:, :, few]
    affine = grid((44, 54, 3), (4, 4, 5))
    report = measured(PHANTOM.volume(voxels=PHANTOM.voxels[:, :, few], affine=affine), mask)
    (lesion,) = report["lesions"]
    assert (report["volume_ml"], lesion["volume_ml"]) == (None, None)
    assert report["area_mm2"] == int(mask.sum()) * 16
    assert "area_px" not in report
    assert lesion["longest_diameter_mm"] == pytest.approx(32, abs=4)
    assert report["input"]["spacing_mm"] == [4, 4, 5]


def test_a_picture_has_pixels_and_no_millimetres() -> None:
    report = measured(*picture())
    (lesion,) = report["lesions"]
    pixels = int(picture()[1].sum())
    assert report["area_px"] == lesion["area_px"] == report["volume_voxels"] == pixels
    for name in ("volume_ml", "longest_diameter_mm", "perpendicular_diameter_mm"):
        assert lesion[name] is None
    assert (report["volume_ml"], lesion["centroid_ras_mm"]) == (None, None)
    assert lesion["side"] == "unknown"
    assert lesion["longest_diameter_px"] == pytest.approx(8, abs=1)
    assert lesion["perpendicular_diameter_px"] == pytest.approx(8, abs=1)
    assert (lesion["product_mm2"], lesion["max_diameter_3d_mm"]) == (None, None)
    product = lesion["longest_diameter_px"] * lesion["perpendicular_diameter_px"]
    assert lesion["product_px2"] == pytest.approx(product, abs=0.1)
    columns, rows = np.nonzero(picture()[1][:, :, 0])
    for name in ("longest_diameter", "perpendicular_diameter"):
        assert lesion[f"{name}_ends_ras_mm"] is None
        for column, row in lesion[f"{name}_ends_px"]:
            assert columns.min() - 0.5 <= column <= columns.max() + 0.5
            assert rows.min() - 0.5 <= row <= rows.max() + 0.5
    assert lesion["crosses_midline"] is lesion["anterior_posterior"] is None
    assert (report["input"]["spacing_mm"], report["input"]["orientation"]) == (None, None)
    assert [note["code"] for note in report["quality"]] == ["no_scale"]


def test_no_tumor_is_a_volume_of_zero() -> None:
    report = measured(PHANTOM.volume(), np.zeros_like(PHANTOM.lesion))
    assert (report["finding"], report["volume_ml"], report["lesions"]) == ("no_tumor", 0, [])
    volume, mask = picture()
    report = measured(volume, np.zeros_like(mask))
    assert (report["finding"], report["volume_ml"], report["area_px"]) == ("no_tumor", None, 0)


def test_what_was_not_analyzed_has_no_numbers() -> None:
    for volume in (PHANTOM.volume(), picture()[0]):
        report = report_of(volume, Findings(Finding.NOT_ANALYZED, (), volume.notes))
        assert report["finding"] == "not_judged"
        assert (report["volume_ml"], report["volume_voxels"], report["lesions"]) == (None, None, [])
        assert report.get("area_px") is None


@pytest.mark.parametrize("number", [0, 11, 23, 38])
def test_the_mask_file_lies_on_the_inputs_own_grid(tmp_path: Path, number: int) -> None:
    phantom = head(centre=(40, -20, 9), degrees=(4, -9, 12)).stored(ORDERS[number])
    segmentation = Segmentation(phantom.lesion, phantom.lesion.astype(np.float32), 0.5)
    write_files(phantom.volume(), segmentation, tmp_path, "abc", False)
    back = read_nifti(tmp_path / "abc_seg.nii.gz")
    assert np.array_equal(back.voxels, phantom.lesion)
    assert back.affine == pytest.approx(phantom.affine, abs=1e-4)
    assert (back.scale, back.sides_known, back.notes) == (Scale.DECLARED, True, ())
    kept = nib.Nifti1Image.from_filename(tmp_path / "abc_seg.nii.gz")
    assert kept.get_data_dtype() == np.uint8


def test_a_pictures_mask_is_a_picture_of_its_size(tmp_path: Path) -> None:
    volume, mask = picture()
    segmentation = Segmentation(mask, mask.astype(np.float32), 0.5)
    write_files(volume, segmentation, tmp_path, "abc", False)
    with Image.open(tmp_path / "abc_seg.png") as drawn:
        assert np.array_equal(np.asarray(drawn), mask[:, :, 0].T * 255)
    assert {path.name for path in tmp_path.iterdir()} == {
        "abc_seg.png",
        "abc_overlay.png",
        "abc_montage.png",
    }
