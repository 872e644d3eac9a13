"""Patients: add, view, edit; names that look like HTML; ids that are taken; wrong dates."""

import re
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest

from daemon.index.patients import ENTERED
from tests.test_viewer_setup import open_house
from viewer.patient_fields import FIELDS
from viewer.wording import age

NASTY = "<img src=x onerror=alert(1)>"


def test_the_form_has_every_field_of_the_records() -> None:
    assert sorted(field.name for field in FIELDS) == sorted(ENTERED)


async def test_add_view_and_edit(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        typed = {"patient_id": " MR/17 ", "name": NASTY, "birth_date": "1970-12-31"}
        status, where = await house.post("/patients", typed)
        assert status == 303
        assert re.fullmatch(r"/patients/[\w-]{16}", where)
        page = await house.page(where)
        assert "MR%2F17" in page
        assert "1970-12-31" in page
        assert NASTY not in page
        assert "&lt;img" in page
        assert "&lt;img" in await house.page("/patients")
        assert "&lt;img" in await house.page("/upload")

        form = await house.page(f"{where}/edit")
        assert 'value="1970-12-31"' in form
        assert 'name="patient_id"' not in form
        text = "</textarea><script>alert(1)</script>\nsecond line"
        changed = {"name": "Ada", "symptoms": text, "gender": "Female", "patient_id": "other"}
        assert await house.post(where, changed) == (303, where)
        page = await house.page(where)
        assert "Ada" in page
        assert "second line" in page
        assert "MR%2F17" in page
        assert "<script>" not in page
        assert "1970-12-31" not in page
        assert "<script>" not in await house.page(f"{where}/edit")


async def test_every_field_is_kept(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        typed = {name: f"about {name}" for name in ENTERED}
        typed |= {"gender": "Other", "patient_id": "P1"}
        typed |= {field.name: "2001-02-03" for field in FIELDS if field.kind == "date"}
        _, where = await house.post("/patients", typed)
        page, form = await house.page(where), await house.page(f"{where}/edit")
        for name in ENTERED:
            assert typed[name] in page, name
            assert typed[name] in form, name


async def test_an_id_that_is_taken_keeps_what_was_typed(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        key = await house.add_patient("P1", name="First")
        status, page = await house.post("/patients", {"patient_id": "P1", "name": "Second"})
        assert status == 400
        assert "There is a patient with this ID already." in page
        assert 'value="Second"' in page
        assert 'value="P1"' in page
        assert "First" in await house.page(f"/patients/{key}")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("patient_id", "  ", "The patient ID is missing."),
        ("patient_id", "x" * 201, "The patient ID is longer than 200 characters."),
        ("patient_id", "\u00e4" * 190, "This patient ID cannot be used."),
        ("patient_id", "unassigned", "This patient ID cannot be used."),
        ("birth_date", "31.12.1970", "Birth date must be a date"),
        ("birth_date", "19701231", "Birth date must be a date"),
        ("birth_date", "2024-02-30", "Birth date must be a date"),
        ("birth_date", "2999-01-01", "Birth date lies in the future."),
        ("name", "x" * 201, "Name is longer than 200 characters."),
        ("symptoms", "x" * 4001, "Symptoms is longer than 4000 characters."),
        ("gender", "none of these", "Gender must be one of"),
    ],
)
async def test_what_cannot_be_taken(tmp_path: Path, field: str, value: str, sentence: str) -> None:
    async with open_house(tmp_path) as house:
        status, page = await house.post(
            "/patients", {"patient_id": "P1", "phone": "123"} | {field: value}
        )
        assert status == 400
        assert sentence in page
        assert 'value="123"' in page
        assert "There are no patients yet" in await house.page("/patients")


async def test_a_form_that_is_far_too_large(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await house.client.post("/patients", data=BytesIO(b"x" * 2**21), headers=kind)
        assert answer.status == 413
        assert "more than this form takes." in await answer.text()


async def test_the_history_of_scans(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        key = await house.add_patient("P1", name="Ada")
        assert "No scan of this patient is done yet." in await house.page(f"/patients/{key}")
        await house.add_scan("P1", "scan1")
        await house.add_scan("P2", "scan2")
        page = await house.page(f"/patients/{key}")
        assert "/scans/scan1" in page
        assert "/scans/scan2" not in page
        assert "41.2 ml" in page


async def test_patients_are_paged_by_name_without_names_in_addresses(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for number in range(60):
            await house.add_patient(f"P{number:02}", name=f"Name {number:02}")
        first = await house.page("/patients")
        following = re.search(r'href="(/patients\?after=[\w-]+)"', first)
        assert following is not None
        second = await house.page(following[1])
        names = re.findall(r">(Name \d\d)<", first + second)
        assert names == [f"Name {number:02}" for number in range(60)]


async def test_unknown_patients(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for path in ("/patients/nobody", "/patients/nobody/edit"):
            assert "There is no such patient." in await house.page(path, 404)
        assert (await house.post("/patients/nobody", {"name": "x"}))[0] == 404
        await house.page("/patients?after=nobody", 404)


def test_age_in_full_years() -> None:
    assert age("", date(2024, 5, 6)) is None
    assert age("2000-05-07", date(2024, 5, 6)) == 23
    assert age("2000-05-06", date(2024, 5, 6)) == 24
    assert age("2000-02-29", date(2023, 2, 28)) == 22
