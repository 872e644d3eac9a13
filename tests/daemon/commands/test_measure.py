"""`gliowatch measure MASK --scan SCAN` says the same as the report that came with the mask."""

import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nibabel as nib
import numpy as np
import pytest

import gliowatch as front_door
from daemon.commands.segment import segment_once
from daemon.outputs.report_builder import DIAMETERS
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.settings import ModelSettings
from tests.conftest import FRONTAL, SAMPLES

STUDY = SAMPLES / "from-the-pacs" / "study"
NO_UNIT = next((SAMPLES / "TCGA_HT_7616_19940813").iterdir())


def segmented(scan: Path, target: Path) -> dict[str, Any]:
    (analyzed,) = segment_once([scan], target, "P", analysis_rules(ModelSettings()))
    assert analyzed.report is not None, analyzed.reason
    return analyzed.report.as_json()


def measure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with (
        patch.object(sys, "argv", ["gliowatch", "measure", *words]),
        pytest.raises(SystemExit) as end,
    ):
        front_door.main()
    assert not end.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize("scan", [FRONTAL, STUDY, NO_UNIT], ids=["nifti", "dicom", "no unit"])
def test_the_same_findings_as_in_the_report(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = segmented(scan, tmp_path)
    mask = tmp_path / report["scan_id"] / f"{report['scan_id']}_seg.nii.gz"
    told = json.loads(measure(capsys, str(mask), "--scan", str(scan), "--json"))
    assert report["lesions"]
    for lesion in (*told["lesions"], *report["lesions"]):
        del lesion["mean_probability"]  # a mask alone has none
    of_the_network = {"quality", "confidence", "volume_ml_range"}
    for key in set(told) - of_the_network:
        assert told[key] == report[key], key
    assert {"lesions", "volume_ml", "volume_voxels", "midline_shift_mm", "lobe_score"} <= set(told)


def test_the_ends_of_the_lines_lie_on_the_mask_and_are_as_far_apart_as_told(tmp_path: Path) -> None:
    report = segmented(FRONTAL, tmp_path)
    mask = nib.Nifti1Image.from_filename(
        tmp_path / report["scan_id"] / f"{report['scan_id']}_seg.nii.gz"
    )
    marked = np.argwhere(np.asarray(mask.dataobj) > 0)
    to_voxels = np.linalg.inv(mask.affine)
    lesion = report["lesions"][0]
    for name in DIAMETERS:
        start, end = (np.array(point) for point in lesion[f"{name}_ends_ras_mm"])
        assert np.linalg.norm(end - start) == pytest.approx(lesion[f"{name}_mm"], abs=0.02)
        for point in (start, end):
            voxel = to_voxels[:3, :3] @ point + to_voxels[:3, 3]
            assert voxel[2] == pytest.approx(lesion["diameter_slice"], abs=0.02)
            assert np.abs(marked - voxel).max(axis=1).min() <= 0.52
    product = lesion["longest_diameter_mm"] * lesion["perpendicular_diameter_mm"]
    assert lesion["product_mm2"] == pytest.approx(product, abs=1)


def test_the_right_frontal_tumor_is_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = segmented(FRONTAL, tmp_path)
    lesion = report["lesions"][0]
    assert (lesion["side"], lesion["anterior_posterior"]) == ("right", "anterior")
    assert lesion["crosses_midline"] is False
    mask = tmp_path / report["scan_id"] / f"{report['scan_id']}_seg.nii.gz"
    words = measure(capsys, str(mask), "--scan", str(FRONTAL))
    assert "on the patient's right, mid anterior-posterior" in words
    assert words.startswith(f"{report['volume_ml']:.1f} ml, {report['volume_voxels']} voxels\n")
    assert f"lesion 1: {lesion['volume_ml']:.2f} ml, " in words
