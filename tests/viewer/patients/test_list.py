"""Patients: add, view, search, page; names that look like HTML; ids that are taken; wrong dates."""

import re
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest

from daemon.index.people.patients import ENTERED
from tests.viewer.test_house import House, lesion, open_house
from viewer.patients.fields import FIELDS
from viewer.templating import age

NASTY = "<img src=x onerror=alert(1)>"


async def search(house: House, text: str, order: str = "name") -> str:
    """Search as the form does; the page, whose address must not hold what was typed."""
    status, where = await house.post(
        "/searches", {"text": text, "back": f"/patients?order={order}"}
    )
    assert status == 303
    assert text not in where
    return await house.page(where)


def test_the_form_has_every_field_of_the_records() -> None:
    assert sorted(field.name for field in FIELDS) == sorted(ENTERED)


async def test_add_and_view(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        typed = {"patient_id": " MR/17 ", "name": NASTY, "birth_date": "1970-12-31"}
        status, where = await house.post("/patients", typed)
        assert status == 303
        assert re.fullmatch(r"/patients/[\w-]{16}", where)
        for path in (where, f"{where}/edit", f"{where}/delete", f"{where}/photo", "/patients"):
            page = await house.page(path)
            assert "MR/17" in page, path
            assert NASTY not in page, path
            assert "&lt;img" in page, path
        assert "&lt;img" in await house.page("/upload")
        assert 'value="1970-12-31"' in await house.page(f"{where}/edit")


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
        status, page = await house.post("/patients", {"patient_id": "P1", "name": "2nd"})
        assert status == 400
        assert "There is already a patient with this ID." in page
        assert 'value="2nd"' in page
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
        ("birth_date", "2999-01-01", "Birth date is in the future."),
        ("birth_date", "0001-01-01", "Birth date is more than 130 years ago."),
        ("diagnosis_date", "2999-01-01", "Date of diagnosis is in the future."),
        ("name", "x" * 201, "Name is longer than 200 characters."),
        ("symptoms", "x" * 4001, "Symptoms is longer than 4000 characters."),
        ("gender", "none of these", "Gender must be one of"),
    ],
)
async def test_what_cannot_be_taken(tmp_path: Path, field: str, value: str, sentence: str) -> None:
    async with open_house(tmp_path) as house:
        typed = {"patient_id": "P1", "phone": "123"} | {field: value}
        status, page = await house.post("/patients", typed)
        assert status == 400
        assert sentence in page
        assert 'value="123"' in page
        assert "There are no patients yet" in await house.page("/patients")


async def test_a_form_that_is_far_too_large(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await house.client.post("/patients", data=BytesIO(b"x" * 2**21), headers=kind)
        assert answer.status == 413
        assert "more than this form accepts." in await answer.text()


async def test_the_first_glance_and_the_history_of_scans(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        key = await house.add_patient("P1", name="Ada", treatment_start="2024-03-01")
        assert "No scan of this patient has been analyzed yet." in await house.page(
            f"/patients/{key}"
        )
        await house.add_scan("P2", "scan4")
        await house.add_scan("P1", "scan1")
        change = {"volume_ml": 6.2, "volume_percent": 18.0, "prior_scan_id": "scan1"}
        change |= {"prior_acquired_at": "2024-05-06T07:08:09"}
        found = lesion(side="left", lobes={"temporal": 70.0, "frontal": 30.0})
        dated = {"kind": "dicom", "sha256": "", "acquired_at": "2026-02-03T10:00:00"}
        await house.add_scan("P1", "scan2", input=dated, lesions=[found], change=change)
        undated = {"kind": "image", "sha256": "", "acquired_at": None}
        await house.add_scan("P1", "scan3", input=undated, volume_ml=None, area_px=90)
        page = await house.page(f"/patients/{key}")
        glance = "3 scans, last 2026-02-03, 41.2 ml, left temporal, ▲ 18 % larger"
        assert f"{glance} since 2024-05-06." in page
        assert "Not on the curve: a scan without a date (no volume)." in page
        assert 'data-event="Treatment" data-at="2024-03-01"' in page
        assert "?a=scan1&amp;b=scan2" in page
        assert "39.0 to 44.0 ml" in page
        assert "/scans/scan4" not in page


async def test_search_order_and_pages(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for number in range(60):
            await house.add_patient(f"P{number:02}", name=f"name {59 - number:02}")
        await house.add_patient("Z1", name="Zoë Müller")
        await house.add_patient("a0")  # without a name: last by name
        await house.add_scan("P07", "scan1")
        first = await house.page("/patients")
        assert "62 patients" in first
        following = re.search(r'href="(/patients\?after=[\w-]+)"', first)
        assert following is not None
        both = first + await house.page(following[1])
        names = re.findall(r">(name \d\d|Zoë Müller|No name entered)<", both)
        assert names == [*(f"name {n:02}" for n in range(60)), "Zoë Müller", "No name entered"]
        for text in ("MULLER zo", "müller", "z1"):
            found = await search(house, text)
            assert "1 patient found" in found
            assert "Zoë Müller" in found
        assert "3 Feb" not in await search(house, "name", "last")
        assert re.findall(r">(name \d\d)<", await search(house, "name", "last")) == ["name 52"]
        ids = re.findall(r">(\w+)</span></td>", await house.page("/patients?order=id"))
        assert ids[:2] == ["P00", "P01"]
        assert "No patient has this name" in await search(house, "%_'\"")
        assert "search again" in await house.page("/patients?q=another-session", 404)


async def test_unknown_patients(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for path in ("nobody", "nobody/edit", "nobody/delete", "nobody/photo", "nobody/photo.jpg"):
            assert "There is no such patient." in await house.page(f"/patients/{path}", 404)
        assert (await house.post("/patients/nobody", {"name": "x"}))[0] == 404
        await house.page("/patients?after=nobody", 404)


def test_age_in_full_years() -> None:
    assert age("", date(2024, 5, 6)) is None
    assert age("2000-05-07", date(2024, 5, 6)) == 23
    assert age("2000-05-06", date(2024, 5, 6)) == 24
    assert age("2000-02-29", date(2023, 2, 28)) == 22
    assert age("2999-01-01", date(2024, 5, 6)) is None
    assert age("0001-01-01", date(2024, 5, 6)) is None
