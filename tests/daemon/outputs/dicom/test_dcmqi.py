"""dcmqi reads our SEG and SR of every kind: a new scan, revisions, drawn masks, nothing found."""

import json
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from daemon.outputs.dicom.review_statement import Verdict
from daemon.pipeline.review_object_tasks import Reviewed, tell_review
from daemon.report import Report
from model.reading.dicom.study import read_dicom
from tests.daemon.outputs.dicom.test_object_contents import Case, objects_in, report_on, tell
from tests.daemon.outputs.dicom.test_objects import MASK, errors_of
from tests.phantoms.dicom_series import STORED, Series, write_series
from tests.programs import program

pytestmark = pytest.mark.long

ASKED = datetime(2024, 5, 8, 3, 0, tzinfo=UTC)
VOLUME, LONGEST = "118565006", "103339001"
NOTHING = {"lesions": [], "finding": "no_tumor", "volume_ml": 0.0, "volume_ml_range": None}
NOT_ANALYZED = NOTHING | {"finding": "not_judged", "volume_ml": None, "confidence": None}
LARGER = MASK.copy()
LARGER[2:8, 4:7, 2:5] = True


@dataclass(frozen=True)
class Kind:
    """A result: what its report tells beside the phantom's, its mask, and what was before it."""

    told: dict[str, Any] = field(default_factory=dict)
    mask: np.ndarray[Any, Any] | None = field(default_factory=lambda: MASK)
    is_later: bool = False


KINDS = {
    "new": Kind(),
    "revision": Kind({"revision": 2, "supersedes": 1, "volume_ml": 0.7}, LARGER, True),
    "corrected": Kind({"revision": 2, "supersedes": 1, "mask": {"by": "Ada"}}, LARGER, True),
    "incomplete": Kind({"quality": [{"code": "incomplete", "message": "A part is missing."}]}),
    "no tumor": Kind(NOTHING, np.zeros_like(MASK)),
    "not analyzed": Kind(NOT_ANALYZED, None),
}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    (tmp_path / "source").mkdir()
    files = write_series(tmp_path / "source", STORED, series=Series(change=tell))
    return Case(read_dicom(files), tmp_path)


def write(case: Case, name: str) -> tuple[Report, dict[str, Path]]:
    """The objects of a kind."""
    kind, before, asked = KINDS[name], None, None
    if kind.is_later:
        case.written(report_on(case.volume), "before")
        before, asked = "before", ASKED
    report = report_on(case.volume, **kind.told)
    folder = case.written(report, "result", kind.mask, before, asked)
    return report, objects_in(folder)


def segments(seg: Path, target: Path, case: Case) -> np.ndarray[Any, Any]:
    """What segimage2itkimage makes of a SEG, on the scan's grid."""
    target.mkdir()
    command = [program("segimage2itkimage"), "--inputDICOM", str(seg), "--outputDirectory"]
    command += [str(target), "--outputType", "nii", "--prefix", "s"]
    subprocess.run(command, check=True, capture_output=True)
    back = np.zeros(case.volume.shape, bool)
    for path in target.glob("*.nii*"):
        image = nib.Nifti1Image.from_filename(path)
        marked = np.argwhere(np.asarray(image.dataobj) > 0)
        places = np.linalg.inv(case.volume.affine) @ image.affine
        found = nib.affines.apply_affine(places, marked)
        assert np.abs(found - found.round()).max() < 0.01  # of a voxel
        back[tuple(found.round().astype(int).T)] = True
    return back


def groups_in(sr: Path, target: Path) -> list[dict[str, Any]]:
    """The groups of measurements that tid1500reader finds."""
    command = [program("tid1500reader"), "--inputDICOM", str(sr), "--outputMetadata", str(target)]
    subprocess.run(command, check=True, capture_output=True)
    found: list[dict[str, Any]] = json.loads(target.read_text()).get("Measurements") or []
    return found


def values_in(group: dict[str, Any]) -> dict[str, float]:
    items = group.get("measurementItems") or []
    return {item["quantity"]["CodeValue"]: float(item["value"]) for item in items}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_result(case: Case, tmp_path: Path, name: str) -> None:
    report, made = write(case, name)
    for path in made.values():
        assert errors_of(path) == [], path.name
    groups = groups_in(made["sr.dcm"], tmp_path / "sr.json")
    with_volume = [each for each in map(values_in, groups) if VOLUME in each]
    if report.finding != "tumor":
        assert "seg.dcm" not in made
        assert with_volume == []
        return
    mask = KINDS[name].mask
    assert mask is not None
    assert np.array_equal(segments(made["seg.dcm"], tmp_path / "back", case), mask)
    (lesion,) = report.lesions
    told = [each for each in with_volume if LONGEST in each]
    assert [(each[VOLUME], each[LONGEST]) for each in told] == [
        (lesion.volume_ml, lesion.longest_diameter_mm)
    ]
    seg = str(pydicom.dcmread(made["seg.dcm"]).SOPInstanceUID)
    assert seg in {each.get("segmentationSOPInstanceUID") for each in groups}


def test_a_verified_report_says_the_same(case: Case, tmp_path: Path) -> None:
    report, made = write(case, "new")
    verdict = Verdict(True, "Ada Lovelace", "St. Mary", ASKED, 100_007)
    assert tell_review(case.root, Reviewed(report, Path("result"), verdict))
    (verified,) = (case.root / ".extra" / report.scan_id / "dicom").iterdir()
    assert errors_of(verified) == []
    before = [values_in(each) for each in groups_in(made["sr.dcm"], tmp_path / "before.json")]
    after = [values_in(each) for each in groups_in(verified, tmp_path / "after.json")]
    assert after == before
    assert any(VOLUME in each for each in after)
