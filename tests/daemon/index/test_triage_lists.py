"""Labels, persons and merged patients in the worklist's queries: what they find, and by what."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from daemon.index import worklist_pages
from daemon.index.people.accounts import add_account
from daemon.index.people.patient_merges import add_merge, mirror_merges, with_merged
from daemon.index.people.patients import add_patient
from daemon.index.people.triage.assignees import set_assignee
from daemon.index.people.triage.scan_labels import put_label
from daemon.index.worklist_pages import NOBODY, ORDERS, Asked, Filters, page_of
from daemon.permissions import Role
from tests.daemon.index.worklist_lists import Lists, open_lists

SAID = (Filters(label="1"), Filters(assignee="1"), Filters(label="1", assignee="1"))


@pytest.fixture
async def lists(tmp_path: Path) -> AsyncIterator[Lists]:
    """Six scans; every second has the label, the first two are for the account 1."""
    async with open_lists(tmp_path) as here:
        for number in range(6):
            await here.publish(f"s{number}", f"P{number}")
        await add_account(here.records, "ada", "Dr Ada", Role.REVIEWER, "")
        await put_label(here.records, ["s0", "s2", "s4"], "Board", "N. Urse")
        await set_assignee(here.records, ["s0", "s1"], 1, "N. Urse")
        yield here


async def scans(lists: Lists, asked: Asked) -> list[str | None]:
    """The scans of a page."""
    return [row.scan_id for row in await lists.rows(asked)]


@pytest.mark.parametrize("few", [0, 7000], ids=["by the order", "by the filter"])
async def test_each_order_holds_what_people_said(
    lists: Lists, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(worklist_pages, "FEW", few)
    for order in ORDERS:
        found = [set(await scans(lists, Asked(each, order))) for each in SAID]
        assert found == [{"s0", "s2", "s4"}, {"s0", "s1"}, {"s0"}], order
        assert len(await scans(lists, Asked(Filters(assignee=NOBODY), order))) == 4


async def test_no_table_is_read_whole(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, tuple[Any, ...]]] = []
    row = lists.joined.row

    async def noted(sql: str, values: Iterable[Any] = ()) -> Any:
        asked.append((sql, tuple(values)))
        return await row(sql, values)

    monkeypatch.setattr(lists.joined, "row", noted)
    for filters in SAID:
        await page_of(lists.joined, Asked(filters), 51)
    plans = [
        str(step["detail"])
        for sql, values in asked
        for step in await lists.joined.rows(f"EXPLAIN QUERY PLAN {sql}", values)
    ]
    assert any("scans_of_label" in each for each in plans)
    assert any("scans_of_assignee" in each for each in plans)
    whole = [each for each in plans if each.startswith(("SCAN w", "SCAN n", "SCAN o"))]
    assert [each for each in whole if " USING " not in each] == []


async def test_a_merged_patient_is_counted_and_searched_with_the_other(lists: Lists) -> None:
    for number in (0, 1):
        await add_patient(lists.records, f"P{number}", {"name": f"Person {number}"})
    assert await add_merge(lists.records, "P0", "P1", "one person", "N. Urse") is not None
    await mirror_merges(lists.index, lists.records)
    assert await with_merged(lists.joined, ["P1", "P2"]) == ("P1", "P2", "P0")
    counts = "SELECT patient_id, scans FROM patient_scans WHERE patient_id < 'P2'"
    assert [tuple(each) for each in await lists.index.rows(counts)] == [("P1", 2)]
    await lists.publish("s6", "P0")  # one that comes later
    assert [tuple(each) for each in await lists.index.rows(counts)] == [("P1", 3)]
    patients = await with_merged(lists.joined, ["P1"])
    rows = await lists.rows(Asked(Filters(patients=patients)))
    assert {row.scan_id for row in rows} == {"s0", "s1", "s6"}
    assert {(row.patient_id, row.patient_name, row.is_first) for row in rows} == {
        ("P1", "Person 1", False)
    }
