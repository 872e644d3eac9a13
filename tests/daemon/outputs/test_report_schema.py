"""Every report, of whatever input, is one of the form that the schema promises."""

from pathlib import Path
from typing import Any

import jsonschema
import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from daemon.commands.segment import segment_once
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.settings import ModelSettings
from tests.conftest import FRONTAL, REPORT_SCHEMA, SAMPLES, SHARED, check_report


def report_of(scan: Path, target: Path) -> dict[str, Any]:
    (analyzed,) = segment_once([scan], target, "P", analysis_rules(ModelSettings()))
    assert analyzed.report is not None, analyzed.reason
    report = analyzed.report.as_json()
    jsonschema.validate(report, REPORT_SCHEMA)
    return report


def test_a_clinical_scan(tmp_path: Path) -> None:
    assert report_of(FRONTAL, tmp_path)["finding"] == "tumor"


def test_a_picture_has_pixels_and_no_millimetres(tmp_path: Path) -> None:
    report = report_of(next((SAMPLES / "a-picture").iterdir()), tmp_path)
    assert report["volume_ml"] is None
    assert isinstance(report["area_px"], int)
    for lesion in report["lesions"]:
        assert lesion["longest_diameter_mm"] is None
        assert lesion["side"] == "unknown"


@pytest.mark.parametrize("value", [0, 7])
def test_a_blank_scan_is_not_analyzed(tmp_path: Path, value: int) -> None:
    image = nib.Nifti1Image(np.full((32, 32, 8), value, np.uint8), np.diag([1.0, 1.0, 5.0, 1.0]))
    nib.save(image, tmp_path / "blank.nii")
    report = report_of(tmp_path / "blank.nii", tmp_path / "out")
    assert (report["finding"], report["volume_ml"]) == ("not_judged", None)
    assert report["quality"][0]["code"] == "blank"


def test_a_mask_is_not_analyzed(tmp_path: Path) -> None:
    drawn = SAMPLES.parent / "reference" / "TCGA_CS_4944_20010208_seg.nii.gz"
    report = report_of(drawn, tmp_path)
    assert (report["finding"], report["volume_ml"]) == ("not_judged", None)
    assert report["quality"][0]["code"] == "mask"


def test_a_tiff_of_16_bits_says_what_the_png_says(tmp_path: Path) -> None:
    picture = next((SAMPLES / "a-picture").iterdir())
    with Image.open(picture) as png:
        grey = np.asarray(png.convert("L"))
    Image.fromarray(grey).save(tmp_path / "slice.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "slice.tif")
    png_report, report = (report_of(tmp_path / f"slice.{end}", tmp_path) for end in ("png", "tif"))
    assert report["input"]["kind"] == "image"
    assert (report["finding"], report["area_px"]) == (png_report["finding"], png_report["area_px"])


def test_four_thin_slices_have_no_volume_in_whatever_plane(tmp_path: Path) -> None:
    voxels = np.random.default_rng(1).integers(0, 99, (4, 64, 64)).astype(np.uint8)
    nib.save(nib.Nifti1Image(voxels, np.diag([1.0, 1.0, 1.0, 1.0])), tmp_path / "slab.nii")
    report = report_of(tmp_path / "slab.nii", tmp_path / "out")
    assert report["volume_ml"] is None
    assert "few_slices" in str(report["quality"])
    assert "not_axial" in str(report["quality"])


def test_one_slice_of_a_scan_has_an_area_and_no_volume(tmp_path: Path) -> None:
    scan = nib.Nifti1Image.from_filename(FRONTAL)
    nib.save(scan.slicer[:, :, 17:18], tmp_path / "one.nii")
    report = report_of(tmp_path / "one.nii", tmp_path / "out")
    assert report["volume_ml"] is None
    assert isinstance(report["area_mm2"], float)
    assert "few_slices" in str(report["quality"])


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared scans are not on this machine")
def test_a_dicom_series_of_a_tumor_on_the_left(tmp_path: Path) -> None:
    report = report_of(SHARED / "dicom" / "brainix_flair", tmp_path)
    assert report["finding"] == "tumor"
    assert report["lesions"][0]["side"] == "left"
    folder = tmp_path / str(report["scan_id"])
    mask = nib.Nifti1Image.from_filename(folder / f"{report['scan_id']}_seg.nii.gz")
    series = nib.Nifti1Image.from_filename(folder / f"{report['scan_id']}_flair.nii.gz")
    assert mask.shape == series.shape == (288, 288, 22)
    assert np.allclose(mask.affine, series.affine)


def test_what_any_test_leaves_behind_is_checked(tmp_path: Path) -> None:
    report = report_of(FRONTAL, tmp_path)
    (path,) = tmp_path.glob("*/*_report.json")
    check_report(path)
    whole = path.read_text("utf-8")
    path.write_text(whole.replace('"volume_voxels"', '"voxels_of_volume"'), "utf-8")
    with pytest.raises(jsonschema.ValidationError):
        check_report(path)
    path.write_text(whole, "utf-8")
    assert report["finding"] == "tumor"
