"""Two records of one patient: who may say so, what follows it, and that it can be taken back."""

import os
import re
from hashlib import sha256
from pathlib import Path

from daemon.index.people.audit import page_of_audit
from daemon.permissions import Role
from tests.viewer.test_house import House, open_house
from viewer.sessions import RECORDS

ALL = "/?arrived=all"


async def two_patients(house: House) -> tuple[str, str]:
    """An old ID with one scan, and a new one with a later scan; their keys."""
    old = await house.add_patient("OLD", name="Ada Byron")
    new = await house.add_patient("NEW", name="Ada Lovelace")
    for patient_id, scan_id, day in (("OLD", "s1", "2024-01-01"), ("NEW", "s2", "2025-01-01")):
        given = {"kind": "dicom", "sha256": "", "acquired_at": f"{day}T10:00:00"}
        await house.add_scan(patient_id, scan_id, input=given)
    return old, new


async def merge(house: House, old: str, into: str, **fields: str) -> tuple[int, str]:
    """Say that `old` is the patient of the ID `into`."""
    said = {"into_id": into, "reason": "Married", "confirmed": "1", **fields}
    return await house.post(f"/patients/{old}/merge", said)


async def search(house: House, words: str, back: str) -> str:
    """The page that a search leads to."""
    _, there = await house.post("/searches", {"text": words, "back": back})
    return await house.page(there)


def published(folder: Path) -> dict[str, str]:
    """The hash of each file of the outbox."""
    files = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return {str(file): sha256(file.read_bytes()).hexdigest() for file in files}


async def test_pages_lists_and_api_follow_a_merge_and_its_undoing(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        old, new = await two_patients(house)
        before = published(house.settings.daemon.outbox)
        assert await merge(house, old, "NEW") == (303, f"/patients/{new}")
        page = await house.page(f"/patients/{new}")
        assert page.count('class="pick"') == 4
        for scan_id in ("s1", "s2"):
            assert f"/patients/{new}/compare?" in await house.page(f"/scans/{scan_id}")
        for words in ("Married", "Merged by N. Urse", "2024-01-01", "ID OLD"):
            assert words in page
        growth = page.partition('id="growth-table"')[2].partition("</table>")[0]
        assert re.findall(r'data-at="(\d{4})', growth) == ["2024", "2025"]
        there = await house.page(f"/patients/{old}")
        assert "This patient was merged into" in there
        rows = await house.page(ALL)
        assert rows.count(f'href="/patients/{new}"') == 2
        assert "Ada Byron" not in rows
        for words in ("Byron", "Lovelace", "old"):
            found = await search(house, words, "/patients")
            assert f'href="/patients/{new}"' in found, words
            assert f'href="/patients/{old}"' not in found, words
            assert (await search(house, words, ALL)).count('<tr id="row-') == 2, words
        for order in ("name", "id", "last"):
            listed = await house.page(f"/patients?order={order}")
            assert f"/patients/{old}" not in listed
            assert re.search(r"<td>2</td>", listed)
        scan = await house.page("/scans/s1")
        assert "came under the ID OLD" in scan
        assert f'href="/patients/{new}"' in scan
        assert "s1" in await house.page(f"/patients/{new}/compare?a=s1&b=s2")
        answer = await (await house.client.get(f"/api/v1/patients/{new}")).json()
        told = [(each["scan_id"], each["patient_id"]) for each in answer["scans"]]
        assert told == [("s2", "NEW"), ("s1", "OLD")]
        assert (answer["merges"][0]["patient_key"], answer["merges"][0]["into_key"]) == (old, new)
        assert published(house.settings.daemon.outbox) == before
        assert (await house.post(f"/patients/{new}/unmerge", {"merge": "1"}))[0] == 303
        assert "s1" not in await house.page(f"/patients/{new}")
        assert "Ada Byron" in await house.page(ALL)
        assert f"/patients/{old}" in await house.page("/patients?order=last")
        assert f"/patients/{old}" in await search(house, "Byron", "/patients")
        assert "Undone by N. Urse" in await house.page(f"/patients/{old}")
        told = [(each.subject, each.detail) for each in await page_of_audit(house.app[RECORDS])]
        assert {(old, "merged"), (new, "merged"), (old, "merge undone")} <= set(told)


async def test_both_records_are_shown_before(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        old, new = await two_patients(house)
        said = {"into_id": "NEW", "reason": "Married"}
        status, page = await house.post(f"/patients/{old}/merge", said)
        assert status == 200
        assert "Ada Byron" in page
        assert "Ada Lovelace" in page
        assert 'name="confirmed"' in page
        assert "s1" not in await house.page(f"/patients/{new}")


async def test_what_cannot_be_merged_is_said_and_not_done(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        old, new = await two_patients(house)
        third = await house.add_patient("THIRD")
        for into in ("OLD", "unassigned", "NOBODY", ""):
            assert (await merge(house, old, into))[0] == 400, into
        assert (await merge(house, old, "NEW", reason=" "))[0] == 400
        assert (await merge(house, old, "NEW"))[0] == 303
        assert (await merge(house, old, "THIRD"))[0] == 400  # it is merged already
        assert (await merge(house, third, "OLD"))[0] == 400  # nobody is two steps away
        assert (await merge(house, new, "THIRD"))[0] == 400
        assert (await merge(house, third, "NEW"))[0] == 303
        for key, typed in ((old, "OLD"), (new, "NEW")):
            assert (await house.post(f"/patients/{key}/delete", {"typed_id": typed}))[0] == 409
        assert (await house.post(f"/patients/{old}/unmerge", {"merge": "2"}))[0] == 404
        await house.come_in("R. Reader", Role.READER)
        assert f"/patients/{new}/unmerge" not in await house.page(f"/patients/{new}")
        assert (await house.post(f"/patients/{new}/unmerge", {"merge": "1"}))[0] == 403
