"""`gliowatch export`: every lesion on a row, and nobody told when it is deidentified."""

import asyncio
import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from daemon.drops import Drop, DropKind, DroppedFile
from daemon.index import ledger, queue
from daemon.index.database import open_index, open_records
from daemon.index.people.patients import add_patient
from daemon.index.scans import every_scan
from daemon.outputs.tables import Hidden
from daemon.settings import Settings
from tests.conftest import gliowatch
from tests.phantoms.reports import INPUT
from tests.viewer.test_house import lesion, scan_row

ADA, BOB = "Ada Lovelace", "=BOB()"
CHANGE = {
    "prior_scan_id": "a1" * 10,
    "prior_revision": 1,
    "prior_acquired_at": "2024-01-31",
    "days": 61.0,
    "volume_ml": 3.0,
    "volume_percent": 10.0,
    "longest_diameter_mm": 1.0,
    "longest_diameter_percent": 2.0,
    "volume_ml_per_30_days": 1.5,
    "ranges_overlap": None,
    "new_lesions": [2],
    "gone_lesions": [],
    "comparable": True,
    "measured_differently": [],
    "registered": True,
    "words": "more",
}


def given(acquired_at: str | None) -> dict[str, Any]:
    return INPUT | {"acquired_at": acquired_at}


@pytest.fixture
def filled(hospital: Settings) -> Settings:
    """Two scans of one patient, and one without a tumor or a date of another."""

    async def fill() -> None:
        two = [lesion(), lesion(id=2, volume_ml=1.5, side="left")]
        async with open_index(hospital.daemon.index) as index:
            for patient, scan_id, changes in (
                (ADA, "a1" * 10, {"input": given("2024-01-31T10:00:00")}),
                (ADA, "a2" * 10, {"input": given("2024-04-01"), "lesions": two, "change": CHANGE}),
                (BOB, "b1" * 10, {"input": given(None), "finding": "no_tumor", "lesions": []}),
            ):
                path = f"{patient}/{scan_id}".encode()
                drop = Drop(path, patient, DropKind.NIFTI, False, (DroppedFile(path, 1, 1, 1),))
                await ledger.mark_rested(index, await ledger.add_drops(index, [drop]))
                claim = await queue.claim_next(index)
                assert claim is not None
                await ledger.finish(index, claim, scan_row(patient, scan_id, **changes), {})
        async with open_records(hospital.daemon.records) as records:
            await add_patient(records, ADA, {"name": "Augusta Ada King"})

    asyncio.run(fill())
    return hospital


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_one_row_a_lesion_and_one_for_a_scan_without(filled: Settings) -> None:
    rows = table(gliowatch(filled, "export").stdout)
    assert [(row["patient"], row["lesion"], row["lesion_side"]) for row in rows] == [
        ("'=BOB()", "", ""),  # what a spreadsheet would compute is text
        (ADA, "1", "right"),
        (ADA, "1", "right"),
        (ADA, "2", "left"),
    ]
    last = rows[-1]
    assert (last["acquired_at"], last["date_source"]) == ("2024-04-01", "file")
    assert (last["lesion_volume_ml"], last["volume_ml"]) == ("1.5", "41.237")
    assert (last["change_volume_ml"], last["change_new_lesions"]) == ("3.0", "2")
    assert last["change_prior_scan"] == "a1" * 10
    assert (rows[0]["finding"], rows[0]["acquired_at"]) == ("no_tumor", "")


def test_deidentified_it_tells_nobody_and_keeps_the_time_between(filled: Settings) -> None:
    plain = gliowatch(filled, "export").stdout
    text = gliowatch(filled, "export", "--deidentify").stdout
    for secret in (ADA, "King", "BOB", "a1" * 10, "a2" * 10, "2024-01-31", "2024-04-01", "10:00"):
        assert secret not in text
    rows = table(text)
    assert len({row["patient"] for row in rows}) == 2
    first, second = sorted({row["acquired_at"] for row in rows if row["acquired_at"]})
    assert (date.fromisoformat(second) - date.fromisoformat(first)).days == 61
    assert 1 <= (date(2024, 1, 31) - date.fromisoformat(first)).days <= 365
    scans = {row["scan"] for row in rows}
    assert {row["change_prior_scan"] for row in rows} - {""} < scans
    measured = [name for name in rows[0] if name.startswith("lesion")]
    of = [[row[name] for name in measured] for row in table(plain)]
    assert sorted(of) == sorted([row[name] for name in measured] for row in rows)
    assert gliowatch(filled, "export", "--deidentify").stdout == text


def test_deidentified_the_order_of_patients_is_that_of_their_numbers(filled: Settings) -> None:
    """Else the k-th number would be the k-th of the hospital's list of patients."""

    async def export_by(secret: bytes) -> list[str]:
        async with open_index(filled.daemon.index) as index:
            naming = Hidden(secret)
            return [s.patient_id async for s in every_scan(index, naming.patient)]

    orders = {tuple(asyncio.run(export_by(bytes([seed]) * 32))) for seed in range(20)}
    assert orders == {(BOB, ADA, ADA), (ADA, ADA, BOB)}
    patients = [row["patient"] for row in table(gliowatch(filled, "export", "--deidentify").stdout)]
    assert patients == sorted(patients)


def test_another_site_gives_other_names() -> None:
    one, other = Hidden(b"1" * 32), Hidden(b"2" * 32)
    assert one.patient(ADA) != other.patient(ADA)
    shifts = {one.moment(f"P{number}", "2024-06-01") for number in range(40)}
    assert len(shifts) > 20


def test_a_file_is_for_its_owner_alone(filled: Settings, tmp_path: Path) -> None:
    done = gliowatch(filled, "export", "--out", str(tmp_path / "all.csv"))
    assert (done.returncode, done.stdout) == (0, "")
    assert len(table((tmp_path / "all.csv").read_text())) == 4
    assert (tmp_path / "all.csv").stat().st_mode & 0o077 == 0
