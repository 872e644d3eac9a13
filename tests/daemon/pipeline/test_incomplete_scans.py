"""Half a study: flagged wherever its result is told, until the rest of it arrives."""

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from daemon.index.database import open_index, open_joined, open_records
from daemon.index.worklist_pages import Asked, Filters, page_of
from daemon.index.worklist_rows import catch_up
from daemon.scan_history import Point, curve_of
from daemon.settings import Settings
from tests.conftest import drain
from tests.daemon.intake.test_study_split import tagged
from tests.phantoms.dicom_series import Series, write_series
from tests.phantoms.heads import HEAD_SPACING, grid, head
from tests.phantoms.reports import make_report

INCOMPLETE = [{"code": "incomplete", "message": "The half of it."}]


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, ...]:
    """The phantom head as a FLAIR series of 30 slices, from below, outside the inbox."""
    told = tagged(PatientID="P", StudyInstanceUID="1.2.9", FrameOfReferenceUID="1.9")
    lps = head().voxels[::-1, ::-1].clip(0).astype(np.uint16)
    affine = grid(lps.shape, HEAD_SPACING) @ np.diag([-1.0, -1.0, 1.0, 1.0])
    affine[:2, 3] *= -1
    (tmp_path / "made").mkdir()
    return write_series(tmp_path / "made", lps, affine, Series(change=told))


def drop(hospital: Settings, files: tuple[Path, ...]) -> None:
    """The files arrive, and what comes of them is published."""
    (hospital.daemon.inbox / "P").mkdir(exist_ok=True)
    for file in files:
        shutil.copy(file, hospital.daemon.inbox / "P")
    done = drain(hospital.daemon.inbox.parent)
    assert done.returncode == 0, done.stderr


def result(folder: Path) -> tuple[dict[str, Any], pydicom.Dataset]:
    """Report and SR of a published revision."""
    (report,), (sr,) = folder.glob("*_report.json"), folder.rglob("*_sr.dcm")
    return json.loads(report.read_text()), pydicom.dcmread(sr)


async def flagged(hospital: Settings) -> tuple[int, int]:
    """How many rows of the worklist bear the flag, and how many of these need review."""
    index, records = hospital.daemon.index, hospital.daemon.records
    async with (
        open_index(index),
        open_records(records) as people,
        open_joined(index, records) as joined,
    ):
        while await catch_up(joined, people):
            pass
        with_flag = Filters(flag="incomplete")
        both = replace(with_flag, states=("review",))
        return (
            len(await page_of(joined, Asked(with_flag), 9)),
            len(await page_of(joined, Asked(both), 9)),
        )


def test_half_a_study_is_flagged_until_its_rest_arrives(
    hospital: Settings, made: tuple[Path, ...]
) -> None:
    drop(hospital, made[:15])
    (first,) = hospital.daemon.outbox.glob("P/*")
    report, sr = result(first)
    (said,) = [each["message"] for each in report["quality"] if each["code"] == "incomplete"]
    assert "cut off at the highest slice" in said
    assert sr.CompletionFlag == "PARTIAL"
    assert report["volume_ml_range"] is None
    assert "whole" not in str(sr)
    assert asyncio.run(flagged(hospital)) == (1, 1)
    drop(hospital, made[15:])
    report, sr = result(first.with_name(f"{first.name}-r2"))
    assert report["input"]["shape"][2] == 30
    assert "incomplete" not in [each["code"] for each in report["quality"]]
    assert "late_files" in [each["code"] for each in report["quality"]]
    assert sr.CompletionFlag == "COMPLETE"
    assert asyncio.run(flagged(hospital)) == (0, 0)


def test_the_growth_curve_leaves_out_what_is_incomplete() -> None:
    points = [
        Point(f"2024-0{month}-01", f"{month:020x}", b"", make_report(quality=quality))
        for month, quality in ((1, []), (2, INCOMPLETE), (3, []))
    ]
    oldest, half, newest = points
    assert curve_of(newest, (oldest, half)) == (oldest, newest)
    assert curve_of(half, (oldest,)) == ()
