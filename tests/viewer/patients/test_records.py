"""Records: two people at once, what DICOM tags told, deletion and undo, the photo."""

import asyncio
import re
import sqlite3
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import FormData
from PIL import Image

from daemon.index.people.patient_deletion import erase_due
from daemon.index.people.patients import changes_of, fill_patient, find_patient
from daemon.index.scans import every_scan
from daemon.records.patients import come_again
from tests.viewer.patients.test_list import search
from tests.viewer.test_house import House, open_house
from viewer.sessions import INDEX, RECORDS


async def version(house: House, key: str) -> dict[str, str]:
    """What the edit form holds of the record's version."""
    found = re.search(r'name="version" value="(\d+)"', await house.page(f"/patients/{key}/edit"))
    assert found is not None
    return {"version": found[1]}


async def test_the_second_of_two_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        key = await house.add_patient("P1", name="Ada", phone="1", doctor="Old")
        was = await version(house, key)
        first = {"name": "Ada", "phone": "2", "doctor": "Old", "insurance": "A"}
        assert (await house.post(f"/patients/{key}", first | was))[0] == 303
        second = {"name": "Ada L.", "phone": "1", "doctor": "Old", "insurance": "B"}
        await house.come_in("D. Octor")
        status, page = await house.post(f"/patients/{key}", second | was)
        assert status == 409
        assert "Phone was “1” and is now “2”" in page
        assert "N. Urse" in page
        for kept in ('value="Ada L."', 'value="2"', 'value="B"', 'value="Old"'):
            assert kept in page, kept
        assert "Ada L." not in await house.page(f"/patients/{key}")
        again = re.search(r'name="version" value="(\d+)"', page)
        assert again is not None
        merged = second | {"phone": "2"} | {"version": again[1]}
        assert (await house.post(f"/patients/{key}", merged))[0] == 303
        history = await house.page(f"/patients/{key}")
        row = r"D\. Octor</td><td>Insurance</td><td[^>]*>A</td><td[^>]*>B</td>"
        assert re.search(row, history)
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            await house.app[RECORDS].change("UPDATE patient_changes SET after = ''")
        with pytest.raises(sqlite3.IntegrityError, match="never forgotten"):
            await house.app[RECORDS].change("DELETE FROM patient_changes")


async def test_what_the_scanner_told_is_marked_and_never_overwrites_people(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        key = await house.add_patient("P1", name="as entered")
        records = house.app[RECORDS]
        told = {"name": "Other", "birth_date": "1950-01-02", "gender": "Male"}
        await fill_patient(records, "P1", told)
        page = await house.page(f"/patients/{key}")
        assert "as entered" in page
        assert page.count("(DICOM)") == 2
        emptied = {"name": "as entered", "birth_date": "", "gender": "Male"}
        typed = emptied | await version(house, key)
        assert (await house.post(f"/patients/{key}", typed))[0] == 303
        await fill_patient(records, "P1", told | {"gender": "Female"})
        patient = await find_patient(records, key)
        assert patient is not None
        assert (patient.name, patient.birth_date, patient.gender) == ("as entered", "", "Male")
        other = await house.add_patient("P2")
        await fill_patient(records, "P2", {"name": "Doe,\0Jane\x1b[2J\n"})
        assert "Doe, Jane [2J</h1>" in await house.page(f"/patients/{other}")
        assert (await house.page(f"/patients/{key}")).count("(DICOM)") == 1


async def test_deleted_is_hidden_everywhere_and_comes_back_whole(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        key = await house.add_patient("P1", name="Ada", symptoms="headache")
        await house.add_scan("P1", "scan1")
        where = f"/patients/{key}"
        assert "retention is off" in await house.page(f"{where}/delete")
        status, page = await house.post(f"{where}/delete", {"typed_id": "p1"})
        assert status == 400
        assert "Nothing was deleted" in page
        done = await house.post(f"{where}/delete", {"typed_id": " P1 "})
        assert done == (303, "/patients/deleted")
        for path in (where, f"{where}/edit", "/scans/scan1", "/scans/scan1/files/overlay.png"):
            assert "This patient was deleted. The deletion can be undone until" in await house.page(
                path, 410
            )
        for path in ("/", "/patients", "/patients?order=last", "/upload", "/patients/unassigned"):
            page = await house.page(path)
            assert "Ada" not in page, path
            assert "scan1" not in page, path
        assert "No patient has this name" in await search(house, "ada")
        assert [scan async for scan in every_scan(house.app[INDEX])] == []  # none is exported
        assert "was deleted. See" in (await house.post("/patients", {"patient_id": "P1"}))[1]
        assert "Ada" in await house.page("/patients/deleted")
        await house.come_in("D. Octor")
        assert await house.post(f"{where}/undelete", {}) == (303, where)
        page = await house.page(where)
        assert "headache" in page
        assert re.search(r"D\. Octor</td><td>Record</td><td[^>]*>deleted</td>", page)
        assert "scan1" in await house.page("/")
        assert (await house.post(f"{where}/undelete", {}))[0] == 404


async def test_a_drop_brings_back_the_bare_entry_and_time_erases_the_rest(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        records, where = house.app[RECORDS], ""
        for number in (1, 2):
            key = await house.add_patient(f"P{number}", name="Ada", phone="123")
            where = f"/patients/{key}"
            await house.post(f"{where}/delete", {"typed_id": f"P{number}"})
        await come_again(house.app[INDEX], records, ["P2"])
        page = await house.page(where)
        assert "123" not in page
        assert "A scan arrived since" in page
        typed = {"phone": "456"} | await version(house, key)
        assert (await house.post(where, typed))[0] == 303
        assert (await house.post(f"{where}/undelete", {}))[0] == 303
        page = await house.page(where)
        assert "Ada" in page
        assert "456" in page  # what was entered since is not overwritten

        assert await erase_due(records) == 0
        await records.change("UPDATE deleted_patients SET erase_at = '2000-01-01'")
        assert await erase_due(records) == 1
        erased = await records.row("SELECT * FROM patients WHERE patient_id = 'P1'")
        assert erased is not None
        assert "Ada" not in tuple(erased)
        assert await changes_of(records, erased["patient_key"]) == []
        gone = await house.page(f"/patients/{erased['patient_key']}", 410)
        assert "This patient was deleted." in gone
        again = await house.post("/patients", {"patient_id": "P1", "name": "New"})
        assert "New" in await house.page(again[1])


async def test_a_photo_is_drawn_anew_small_and_without_its_data(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        key = await house.add_patient("P1")
        where = f"/patients/{key}/photo"
        camera = Image.Exif()
        camera[0x010E] = "taken at home"
        kept = BytesIO()
        Image.new("RGB", (1200, 600), "red").save(kept, "JPEG", exif=camera)

        async def send(content: bytes, **fields: str) -> tuple[int, str]:
            form = FormData(default_to_multipart=True)
            for name, value in ({"csrf": house.csrf} | fields).items():
                form.add_field(name, value)
            form.add_field("photo", BytesIO(content), filename="photo.jpg")
            answer = await house.client.post(where, data=form, allow_redirects=False)
            return answer.status, await answer.text()

        assert (await send(kept.getvalue()))[0] == 303
        answer = await house.client.get(f"{where}.jpg")
        small = await answer.read()
        with Image.open(BytesIO(small)) as photo:
            assert (photo.format, photo.size) == ("JPEG", (256, 128))
        assert b"taken at home" in kept.getvalue()
        assert b"taken at home" not in small
        status, page = await send(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
        assert status == 400
        assert "must be a PNG or JPEG" in page
        assert (await send(b"x" * (10 * 2**20 + 1)))[0] == 413
        assert (await send(b"", csrf="wrong"))[0] == 403
        await asyncio.gather(house.page(f"/patients/{key}"), house.page(where))
        assert (await send(b"", action="remove"))[0] == 303
        assert await house.app[RECORDS].rows("SELECT * FROM photos") == []
        assert "Photo</td>" in await house.page(f"/patients/{key}")
