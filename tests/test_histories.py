"""A patient's scans over time: late ones, reprocessed ones, entered dates; each change follows."""

import json
from typing import Any

import jsonschema
import numpy as np

from daemon.settings import Settings
from tests.conftest import ROOT, drain, gliowatch, left_in_inbox
from tests.phantoms import HEAD_SPACING, grid, head, write_nifti
from tests.test_reading_dicom_setup import Series, write_series
from tests.test_studies import tagged

SCHEMA = json.loads((ROOT / "daemon" / "outputs" / "report.schema.json").read_text())


def drop_dicom(hospital: Settings, day: str, radius: float, patient: str = "P") -> None:
    """A FLAIR series of the phantom head, acquired at noon of a day (ISO 8601)."""
    shown = head(radius=radius)
    told = tagged(
        StudyInstanceUID=f"1.2.{day.replace('-', '')}",
        FrameOfReferenceUID="1.9",
        PatientID=patient,
        AcquisitionDate=day.replace("-", ""),
        AcquisitionTime="120000",
    )
    folder = hospital.daemon.inbox / patient / day
    folder.mkdir(parents=True)
    lps = shown.voxels[::-1, ::-1].clip(0).astype(np.uint16)  # rows and columns as a scanner's
    affine = grid(shown.lesion.shape, HEAD_SPACING) @ np.diag([-1.0, -1.0, 1.0, 1.0])
    affine[:2, 3] *= -1
    write_series(folder, lps, affine, Series(uid=f"1.3.{day.replace('-', '')}", change=told))


def drop_nifti(hospital: Settings, name: str, radius: float) -> None:
    shown = head(radius=radius)
    (hospital.daemon.inbox / "P").mkdir(exist_ok=True)
    write_nifti(hospital.daemon.inbox / "P" / f"{name}.nii.gz", shown.voxels, shown.affine)


def run(hospital: Settings) -> None:
    done = drain(hospital.daemon.inbox.parent)
    assert done.returncode == 0, done.stderr
    assert left_in_inbox(hospital) == []


def by_day(hospital: Settings) -> dict[str, list[dict[str, Any]]]:
    """The reports of each day's scan in the outbox, by revision; every one fits the schema."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(hospital.daemon.outbox.glob("[!.]*/*/*_report.json")):
        report = json.loads(path.read_text())
        jsonschema.validate(report, SCHEMA)
        at = report["input"]["acquired_at"] or report["date_entered"] or ""
        found.setdefault(at[:10], []).append(report)
    return {day: sorted(each, key=lambda r: int(r["revision"])) for day, each in found.items()}


def test_a_late_older_scan_makes_a_revision_of_the_next_and_of_the_newest(
    hospital: Settings,
) -> None:
    for day, radius in (("2024-03-01", 18), ("2024-05-01", 20), ("2024-07-01", 22)):
        drop_dicom(hospital, day, radius)
    run(hospital)
    print(
        {
            d: [(r["revision"], r["volume_ml"], r["change"] and r["change"]["words"]) for r in e]
            for d, e in by_day(hospital).items()
        }
    )
    drop_dicom(hospital, "2024-01-01", 16)
    run(hospital)
    print(
        {
            d: [(r["revision"], r["volume_ml"], r["change"] and r["change"]["words"]) for r in e]
            for d, e in by_day(hospital).items()
        }
    )
    print(by_day(hospital)["2024-07-01"][-1])
    assert gliowatch(hospital, "verify").returncode == 0
    assert 0
