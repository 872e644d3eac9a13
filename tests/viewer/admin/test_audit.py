"""The audit page: one row a view, filters by patient, account and day, names for ids."""

import re
from datetime import date, timedelta
from pathlib import Path

from daemon.index.people.audit import Action, Entry, note
from tests.viewer.test_house import House, open_house
from viewer.admin.audit import one_row_a_view
from viewer.sessions import RECORDS


def entry(number: int, minute: int, action: Action, detail: str, subject: str = "s1") -> Entry:
    at = f"2026-01-02T03:{minute:02}:00.000+00:00"
    return Entry(number, at, "ada", action.value, subject, detail, "")


def test_what_one_person_opens_of_a_scan_is_one_row() -> None:
    entries = [
        entry(9, 30, Action.VIEW, "again"),
        entry(8, 7, Action.VIEW, "other", "s2"),
        entry(7, 6, Action.DOWNLOAD, "late.png"),
        entry(6, 5, Action.REVIEW, "review"),
        entry(5, 4, Action.DOWNLOAD, "b.png"),
        entry(4, 3, Action.DOWNLOAD, "a.png"),
        entry(3, 2, Action.VIEW, "page"),
    ]
    rows = one_row_a_view(entries)
    assert [(row.number, row.action, row.files, row.details) for row in rows] == [
        (9, "view", 0, ["again"]),
        (8, "view", 0, ["other"]),
        (7, "download", 1, ["late.png"]),
        (6, "review", 0, ["review"]),
        (5, "view", 2, ["page", "a.png", "b.png"]),
    ]


async def rows_of(house: House, path: str) -> list[str]:
    """The cells of the page's table, a text a row."""
    page = await house.page(path)
    body = re.search(r"<tbody>(.*)</tbody>", page, re.S)
    return re.findall(r"<tr>(.*?)</tr>", body[1], re.S) if body else []


async def test_it_is_narrowed_to_a_patient_and_to_days(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s1")
        await house.add_scan("P2", "s2")
        key = await house.add_patient("P1", name="Ada <Example>")
        await house.page("/scans/s1")
        await house.page("/scans/s2")
        await house.page(f"/patients/{key}")
        _, there = await house.post("/searches", {"text": "example", "back": "/audit"})
        assert "xample" not in there
        rows = await rows_of(house, there)
        assert len(rows) == 2
        assert all("Ada &lt;Example&gt;</a>" in row for row in rows)
        assert any('href="/scans/s1"' in row for row in rows)
        assert any(f'href="/patients/{key}"' in row for row in rows)
        today, tomorrow = date.today(), date.today() + timedelta(days=1)
        assert len(await rows_of(house, f"{there}&first={today}&last={today}")) == 2
        assert await rows_of(house, f"{there}&first={tomorrow}") == []
        assert await rows_of(house, f"/audit?last={today - timedelta(days=1)}") == []
        await house.page("/audit?first=yesterday", 404)
        await house.page("/audit?q=nothing", 404)


async def test_a_long_audit_has_pages(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for number in range(320):
            await note(house.app[RECORDS], "bo", Action.CHANGE, f"x{number}")
        first = await house.page("/audit?account=bo")
        older = re.search(r'href="(/audit\?account=bo&amp;before=\d+)"', first)
        assert older is not None
        rest = await rows_of(house, older[1].replace("&amp;", "&"))
        assert len(rest) == 20
        assert "x0<" in rest[-1]
