"""A patient's scans over time: late, reprocessed, dated by hand; what follows is revised."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from daemon.index.database import open_index, open_records
from daemon.index.scans import find_scan
from daemon.records.overrides import enter_date
from daemon.service import run_daemon
from daemon.settings import ModelSettings, Settings
from model.reading.nifti import read_nifti
from tests.conftest import FRONTAL, ROOT, gliowatch, left_in_inbox, worker_here
from tests.daemon.intake.test_study_split import tagged
from tests.phantoms.dicom_series import Series, write_series
from tests.phantoms.heads import HEAD_SPACING, grid, head, write_nifti
from tests.phantoms.moved_heads import middle, with_ball

SCHEMA = json.loads((ROOT / "daemon" / "report.schema.json").read_text())
TODAY = date(2026, 1, 1)
Reports = list[dict[str, Any]]


def drop_dicom(hospital: Settings, day: str, patient_id: str = "P") -> None:
    """A FLAIR series of the phantom head, acquired at noon of a day (ISO 8601)."""
    digits = day.replace("-", "")
    told = tagged(
        StudyInstanceUID=f"1.2.{digits}",
        FrameOfReferenceUID="1.9",
        PatientID=patient_id,
        AcquisitionDate=digits,
        AcquisitionTime="120000",
    )
    shown = head(radius=10 + int(digits[4:6]))  # each month's has other pixels
    lps = shown.voxels[::-1, ::-1].clip(0).astype(np.uint16)
    affine = grid(lps.shape, HEAD_SPACING) @ np.diag([-1.0, -1.0, 1.0, 1.0])
    affine[:2, 3] *= -1
    folder = hospital.daemon.inbox / "P" / day
    folder.mkdir(parents=True)
    write_series(folder, lps, affine, Series(uid=f"1.3.{digits}", change=told))


@pytest.fixture
def quick() -> Iterator[None]:
    with worker_here():
        yield


def run(hospital: Settings) -> None:
    assert asyncio.run(run_daemon(hospital, True, asyncio.Event())) == 0
    assert left_in_inbox(hospital) == []


def by_day(hospital: Settings) -> dict[str, Reports]:
    """The reports of each day's scan in the outbox, by revision; every one fits the schema."""
    found: dict[str, Reports] = {}
    days: dict[str, str] = {}
    for path in hospital.daemon.outbox.glob("[!.]*/*/*_report.json"):
        report = json.loads(path.read_text())
        jsonschema.validate(report, SCHEMA)
        found.setdefault(report["scan_id"], []).append(report)
        at = report["input"]["acquired_at"] or report["date_entered"]
        days[report["scan_id"]] = at[:7] if at else days.get(report["scan_id"], "")
    return {
        days[key]: sorted(each, key=lambda r: int(r["revision"])) for key, each in found.items()
    }


def priors(reports: Reports) -> list[str | None]:
    """The month with which each revision was compared, and the revision of its mask."""
    changes = [report["change"] for report in reports]
    return [c and f"{c['prior_acquired_at'][:7]} r{c['prior_revision']}" for c in changes]


def curve(report: dict[str, Any]) -> list[str]:
    return [entry["acquired_at"][:7] for entry in report["history"] or []]


def folder_of(hospital: Settings, report: dict[str, Any]) -> Path:
    number = int(report["revision"])
    name = str(report["scan_id"]) + (f"-r{number}" if number > 1 else "")
    return hospital.daemon.outbox / "P" / name


@pytest.mark.long
@pytest.mark.usefixtures("quick")
def test_what_follows_a_late_scan_and_one_that_is_analyzed_again(hospital: Settings) -> None:
    drop_dicom(hospital, "2024-03-01")
    run(hospital)
    drop_dicom(hospital, "2024-05-01")
    drop_dicom(hospital, "2024-07-01")
    run(hospital)
    found = by_day(hospital)
    assert priors(found["2024-03"]) == [None]
    assert priors(found["2024-05"])[-1] == "2024-03 r1"
    assert priors(found["2024-07"])[-1] == "2024-05 r1"
    assert curve(found["2024-07"][-1]) == ["2024-03", "2024-05", "2024-07"]
    before = {month: len(reports) for month, reports in found.items()}

    drop_dicom(hospital, "2024-01-01")
    run(hospital)
    found = by_day(hospital)
    assert priors(found["2024-01"]) == [None]
    assert priors(found["2024-03"]) == [None, "2024-01 r1"]
    assert len(found["2024-05"]) == before["2024-05"]  # its prior's mask is as it was
    assert len(found["2024-07"]) == before["2024-07"] + 1  # the curve is the newest one's
    assert curve(found["2024-07"][-1]) == ["2024-01", "2024-03", "2024-05", "2024-07"]
    first, second = found["2024-03"]
    assert (second["supersedes"], second["judged_revision"]) == (1, 1)
    assert [note["code"] for note in second["quality"]] == ["compared_again"]
    here, there = folder_of(hospital, first), folder_of(hospital, second)
    for ending in ("_seg.nii.gz", "_overlay.png", "_seg.dcm"):
        name = f"{first['scan_id']}{ending}"
        name = f"dicom/{name}" if ending.endswith("dcm") else name
        assert (there / name).read_bytes() == (here / name).read_bytes()
    for name in (f"dicom/{first['scan_id']}_sr.dcm", f"dicom/{first['scan_id']}_report.dcm"):
        assert (there / name).read_bytes() != (here / name).read_bytes(), "it tells the change"
    newest = folder_of(hospital, found["2024-07"][-1])
    assert list(newest.glob("*_growth.png"))
    assert len(list((newest / "source").rglob("*000*"))) == 10

    table = hospital.model.model_copy(update={"threshold": 0.4})
    gliowatch(hospital, "queue", "reprocess", found["2024-01"][0]["scan_id"])
    run(hospital.model_copy(update={"model": table}))
    found = by_day(hospital)
    assert [report["model"]["threshold"] for report in found["2024-01"]] == [0.5, 0.4]
    assert priors(found["2024-03"]) == [None, "2024-01 r1", "2024-01 r2"]
    assert found["2024-03"][-1]["change"]["measured_differently"] == ["network"]
    assert gliowatch(hospital, "verify").returncode == 0


@pytest.mark.long
@pytest.mark.usefixtures("quick")
def test_a_rebuilt_index_compares_nothing_anew_and_a_doubt_ends_comparisons(
    hospital: Settings,
) -> None:
    drop_dicom(hospital, "2024-03-01")
    run(hospital)
    drop_dicom(hospital, "2024-05-01")
    run(hospital)
    assert priors(by_day(hospital)["2024-05"]) == ["2024-03 r1"]  # in their order: at once
    assert gliowatch(hospital, "verify", "--rebuild").returncode == 0
    assert gliowatch(hospital, "queue", "list").stdout == "Queue empty.\n"
    drop_dicom(hospital, "2024-07-01", "somebody else")
    run(hospital)
    found = by_day(hospital)
    assert priors(found["2024-07"]) == [None]
    assert priors(found["2024-05"]) == ["2024-03 r1", None]


def enter(hospital: Settings, scan_id: str, typed: str) -> None:
    async def in_databases() -> None:
        daemon = hospital.daemon
        async with open_index(daemon.index) as index, open_records(daemon.records) as records:
            scan = await find_scan(index, scan_id)
            assert scan is not None
            await enter_date(index, records, scan, typed, "Ada", TODAY)

    asyncio.run(in_databases())


@pytest.fixture
def clinic(hospital: Settings) -> Settings:
    """With the shipped network, which sees what is pasted."""
    return hospital.model_copy(update={"model": ModelSettings(threads=1)})


@pytest.mark.usefixtures("quick")
def test_dates_entered_by_a_person_and_a_new_lesion_of_known_size(clinic: Settings) -> None:
    """The clinical head, and the same with a ball of 12 mm radius, 7.2 ml, on the other side."""
    first = read_nifti(FRONTAL)
    second = with_ball(first, middle(first) + np.array([-36, -30, 15]), 12)
    (clinic.daemon.inbox / "P").mkdir()
    for name, volume in (("a", first), ("b", second)):
        path = clinic.daemon.inbox / "P" / f"{name}.nii.gz"
        write_nifti(path, volume.voxels, volume.affine)
    run(clinic)
    (undated,) = by_day(clinic).keys() or [""]
    assert undated == ""
    known = [json.loads(p.read_text()) for p in clinic.daemon.outbox.glob("P/*/*_report.json")]
    small, large = sorted(known, key=lambda report: float(report["volume_ml"]))
    assert (small["change"], large["change"]) == (None, None)
    assert "date_unknown" in str(large["quality"])

    enter(clinic, small["scan_id"], "2024-01-10")
    enter(clinic, large["scan_id"], "2024-03-10")
    run(clinic)
    reports = by_day(clinic)["2024-03"]
    dated = reports[-1]
    assert dated["input"]["acquired_at"] is None
    assert "date_entered" in [note["code"] for note in dated["quality"]]
    assert "date_unknown" not in str(dated["quality"])
    change = dated["change"]
    assert change["volume_ml"] == pytest.approx(7.24, abs=1.2)
    assert (change["days"], change["registered"], change["comparable"]) == (60, True, True)
    new = [each for each in dated["lesions"] if each["id"] in change["new_lesions"]]
    assert [each["side"] for each in new] == ["left"]
    assert change["gone_lesions"] == []
    assert list(folder_of(clinic, dated).glob("*_growth.png"))

    enter(clinic, large["scan_id"], "")
    run(clinic)
    latest = max(
        (r for each in by_day(clinic).values() for r in each if r["scan_id"] == large["scan_id"]),
        key=lambda report: int(report["revision"]),
    )
    assert (latest["change"], latest["date_entered"], latest["history"]) == (None, None, None)
    assert "date_unknown" in [note["code"] for note in latest["quality"]]
    assert gliowatch(clinic, "verify").returncode == 0


def killed(hospital: Settings, at: str, when: str, nth: int) -> None:
    """A run that ends itself with SIGKILL at that call of that function."""
    plan = [{"at": at, "when": when, "nth": nth, "do": "kill", "where": "daemon"}]
    settings = str(hospital.daemon.inbox.parent / "settings.toml")
    command = [sys.executable, "-m", "tests.faults.killed_run", "run", "--once", "--settings"]
    done = subprocess.run(
        [*command, settings],
        env=os.environ | {"PYTHONPATH": str(ROOT), "FAULT_PLAN": json.dumps(plan)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("quick")
def test_kills_on_the_way_to_a_revision_neither_lose_nor_double_it(hospital: Settings) -> None:
    drop_dicom(hospital, "2024-05-01")
    run(hospital)
    drop_dicom(hospital, "2024-03-01")
    # The first one published is the late scan itself.
    killed(hospital, "daemon.pipeline.outbox:publish", "before", 2)
    assert len(by_day(hospital)["2024-05"]) == 1
    killed(hospital, "daemon.pipeline.outbox:publish", "after", 1)
    assert len(by_day(hospital)["2024-05"]) == 2
    killed(hospital, "daemon.index.ledger:finish", "before", 1)
    run(hospital)
    found = by_day(hospital)
    assert priors(found["2024-03"]) == [None]
    assert priors(found["2024-05"]) == [None, "2024-03 r1"]
    with sqlite3.connect(hospital.daemon.index) as index:
        told = index.execute("SELECT kind, state FROM drops ORDER BY drop_id").fetchall()
    assert told == [("dicom", "done"), ("dicom", "done"), ("compare", "done")]
    assert gliowatch(hospital, "verify").returncode == 0


@pytest.mark.usefixtures("quick")
def test_a_date_that_was_noted_before_a_crash_is_found_at_the_start(
    hospital: Settings,
) -> None:
    (hospital.daemon.inbox / "P").mkdir()
    shown = head()
    write_nifti(hospital.daemon.inbox / "P" / "a.nii.gz", shown.voxels, shown.affine)
    run(hospital)
    (report,) = by_day(hospital)[""]
    enter(hospital, report["scan_id"], "2024-01-10")
    with sqlite3.connect(hospital.daemon.index) as index:
        index.execute("DELETE FROM drops WHERE kind = 'compare'")
    run(hospital)
    assert [each["date_entered"] for each in by_day(hospital)["2024-01"]] == [None, "2024-01-10"]
