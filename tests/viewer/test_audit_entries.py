"""An entry of the audit and the change that it tells stand or fall together; two at once too."""

import asyncio
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from daemon.index.people import accounts
from daemon.index.people.audit import Action, page_of_audit
from daemon.index.people.overrides import add_date, entered_date
from daemon.index.people.patient_deletion import delete_patient
from daemon.index.people.patients import find_patient
from daemon.index.people.reviews import reviews_of
from daemon.index.people.triage.assignments import add_assignment, assignments
from daemon.permissions import Role
from tests.viewer.api.test_api import ask, token_of
from tests.viewer.test_house import House, open_house
from tests.viewer.test_logins import RIGHT, with_password
from viewer.sessions import INDEX, RECORDS

FULL = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full'); END"


async def entries(house: House, action: Action) -> list[tuple[str, str]]:
    found = await page_of_audit(house.app[RECORDS])
    return [(entry.subject, entry.detail) for entry in found if entry.action == action]


async def content(house: House) -> Counter[str]:
    """Everything that the records hold beside the audit, its journal, and what logins note."""
    records, found = house.app[RECORDS], Counter[str]()
    tables = await records.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
    passed = ("audit", "audit_journal", "login_sessions", "login_failures", "sqlite_sequence")
    for (name,) in tables:
        if name not in passed and not name.startswith("patient_names"):
            found.update(
                f"{name} {tuple(row)}" for row in await records.rows(f"SELECT * FROM {name}")
            )
    return found


async def paused(house: House) -> bool:
    row = await house.app[INDEX].row("SELECT value FROM switches WHERE name = 'paused'")
    return bool(row and row["value"])


async def changes_of(house: House) -> dict[str, dict[str, str]]:
    """A form for every page whose change lies in the records."""
    await house.add_scan("P1", "scan1", input={"kind": "image", "acquired_at": None})
    await house.add_scan("unassigned", "scan2")
    key = await house.add_patient("P1")
    other = await accounts.add_account(house.app[RECORDS], "ada", "Ada", Role.READER, "")
    assert other is not None
    token = {"label": "a", "role": "reader", "ends_on": date.today().isoformat(), "old": RIGHT}
    return {
        "/scans/scan1/reviews": {"decision": "accepted", "revision": "1", "seen": "1.0.0"},
        "/scans/scan1/date": {"acquired_on": "2024-01-02"},
        "/scans/scan1/spacing": {"across": "1", "down": "1"},
        "/patients": {"patient_id": "P2"},
        f"/patients/{key}": {"version": "1", "name": "New"},
        f"/patients/{key}/delete": {"typed_id": "P1"},
        f"/accounts/{other.account_id}": {"do": "disable"},
        "/accounts": {"name": "eve", "role": "reader"},
        "/account/tokens": token,
        "/logout": {"everywhere": "1"},
    }


async def test_what_cannot_be_noted_is_not_done(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        changes = await changes_of(house)
        await with_password(house)
        records = house.app[RECORDS]
        await records.change(FULL)
        before = await content(house)
        for path, fields in changes.items():
            status, _ = await house.post(path, fields)
            assert status == 500, path
            assert await content(house) == before, path
        await records.change("DROP TRIGGER full")
        for path, fields in changes.items():
            told = len(await page_of_audit(records))
            status, _ = await house.post(path, fields)
            assert status in (200, 303), path
            assert len(await page_of_audit(records)) == told + 1, path
            assert await content(house) != before, path
            before = await content(house)


async def test_a_form_that_is_refused_leaves_no_entry(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1")
        fields = {"decision": "accepted", "revision": "1", "seen": "1.7.0"}
        assert (await house.post("/scans/scan1/reviews", fields))[0] == 409
        assert (await house.post("/patients", {"patient_id": ""}))[0] == 400
        assert (await house.post("/system", {"action": "none"}))[0] == 400
        assert await entries(house, Action.REVIEW) == []
        assert await entries(house, Action.CHANGE) == []
        assert await house.app[RECORDS].rows("SELECT 1 FROM audit_journal") == []


async def test_what_is_changed_elsewhere_is_made_good_at_the_next_start(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        assert (await house.post("/system", {"action": "pause"}))[0] == 303
        assert await entries(house, Action.CHANGE) == [("/system", "")]
        assert await paused(house)
        await house.app[RECORDS].change(FULL)
        assert (await house.post("/system", {"action": "resume"}))[0] == 500
        assert not await paused(house)
        assert (await house.upload({"a.nii": b"1"}))[0] == 500
        await house.app[RECORDS].change("DROP TRIGGER full")
        await house.app[RECORDS].change(
            "CREATE TRIGGER no BEFORE INSERT ON audit_journal"
            " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        assert (await house.post("/system", {"action": "pause"}))[0] == 500
        assert not await paused(house)
        await house.app[RECORDS].change("DROP TRIGGER no")
    async with open_house(tmp_path, enter=False) as house:
        made_good = [*await entries(house, Action.CHANGE), *await entries(house, Action.UPLOAD)]
        assert [subject for subject, _ in made_good] == ["/system", "/system", "/upload"]
        assert [detail.endswith("its end is not known") for _, detail in made_good] == [
            *(True, False),
            True,
        ]
        assert await house.app[RECORDS].rows("SELECT 1 FROM audit_journal") == []


@pytest.mark.parametrize("api", [False, True])
async def test_of_two_reviews_from_one_page_one_is_taken(tmp_path: Path, api: bool) -> None:
    async with open_house(tmp_path) as house:
        token = await token_of(house)
        for number in range(10):
            scan = f"scan{number}"
            await house.add_scan(f"P{number}", scan)
            said = [
                {"decision": "accepted", "revision": 1, "seen": "1.0.0"},
                {"decision": "needs_correction", "revision": 1, "seen": "1.0.0", "comment": "a"},
            ]
            forms = [{name: str(value) for name, value in each.items()} for each in said]
            asked = (
                [ask(house, "POST", f"scans/{scan}/reviews", token, each) for each in said]
                if api
                else [house.post(f"/scans/{scan}/reviews", each) for each in forms]
            )
            answers = await asyncio.gather(*asked)
            assert sorted(status for status, _ in answers) == ([201, 409] if api else [303, 409])
            assert len(await reviews_of(house.app[RECORDS], scan)) == 1
        assert len(await entries(house, Action.REVIEW)) == 10


async def test_a_date_that_somebody_enters_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        records = house.app[RECORDS]
        await add_date(records, "scan1", "2024-01-01", "Ada")
        await add_date(records, "scan1", "2020-02-02", "copied", only_first=True)
        await add_date(records, "scan2", "2020-02-02", "copied", only_first=True)
        dates = [await entered_date(records, scan) for scan in ("scan1", "scan2")]
        assert [each.acquired_on for each in dates if each] == ["2024-01-01", "2020-02-02"]


async def test_no_scan_is_given_to_a_patient_who_was_deleted_meanwhile(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        records, key = house.app[RECORDS], await house.add_patient("P1")
        patient = await find_patient(records, key)
        assert patient is not None
        await delete_patient(records, patient, "Ada")
        assert await add_assignment(records, "s", "P1", "t", False, "Ada") is None
        assert await assignments(records) == []
