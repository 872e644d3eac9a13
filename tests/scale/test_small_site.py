"""A large index in small: made in bulk as the triggers would make it, and read through indexes."""

import re
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

import pytest

from daemon.index.database import Database, open_index, open_joined, open_records
from daemon.index.people.patient_search import (
    MOST_FOUND,
    Order,
    count_patients,
    find_patients,
    ids_by_last_scan,
    page_of_patients,
)
from daemon.index.people.patients import add_patient, find_patient, list_patients
from daemon.index.worklist_pages import ORDERS, Asked, Filters, page_of
from daemon.quality.monthly_figures import monthly_figures
from daemon.settings import Settings
from tests.scale.filling import make
from tests.scale.verifying import differences
from tests.viewer.test_house import House, house_of, settings_in

SCANS, PATIENTS = 2000, 300


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_in(tmp_path_factory.mktemp("large"))


@pytest.fixture
async def hospital(made: Settings) -> Settings:
    if not made.daemon.index.exists():
        await make(made.daemon, SCANS, PATIENTS)
    return made


@pytest.fixture
async def house(hospital: Settings) -> AsyncIterator[House]:
    async with house_of(hospital) as house:
        yield house


async def test_what_is_made_in_bulk_is_what_the_triggers_make(hospital: Settings) -> None:
    assert await differences(hospital.daemon, 200) == 0
    async with open_index(hospital.daemon.index) as index:
        await index.change("UPDATE worklist SET finding = 'no_tumor' WHERE row_id % 50 = 0")
    assert await differences(hospital.daemon, SCANS) > 0
    async with open_index(hospital.daemon.index) as index:
        await index.change(
            "UPDATE worklist SET finding = f.finding FROM scan_facts f"
            " WHERE f.scan_id = worklist.scan_id AND f.revision = worklist.revision"
        )
        bad = await index.rows("PRAGMA integrity_check")
        counted = "SELECT * FROM counted_scans EXCEPT SELECT * FROM patient_scans"
        assert ([row[0] for row in bad], await index.rows(counted)) == (["ok"], [])
    assert await differences(hospital.daemon, SCANS) == 0


async def test_pages_near_and_far_answer(house: House) -> None:
    first = await house.page("/?arrived=all")
    assert len(re.findall(r'id="row-\d+"', first)) == 50
    following = re.search(r'href="(/\?[^"]*after=\d+)"', first)
    assert following is not None
    second = await house.page(following[1].replace("&amp;", "&"))
    assert not set(re.findall(r'id="row-\d+"', first)) & set(re.findall(r'id="row-\d+"', second))
    for path in ("/?arrived=all&sort=patient&dir=asc", "/patients?order=last", "/system"):
        await house.page(path)
    status, found = await house.post("/searches", {"text": "muller", "back": "/patients"})
    assert status == 303
    assert "Müller" in await house.page(found)


async def test_few_rows_sorted_and_many_rows_walked_give_the_same_pages(
    hospital: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_joined(hospital.daemon.index, hospital.daemon.records) as joined:
        people = await find_patients(joined, "p0000")
        narrowed = (
            Filters(flag="low_confidence"),
            Filters(flag="date_unknown", side="left", is_unreviewed=True),
            Filters(states=("done",), finding="tumor"),
            Filters(arrived_since="2022", arrived_until="2025"),
            Filters(patients=people),
            Filters(patients=people, accession="ACC0000"),
        )
        asked = [
            Asked(filters, order, is_backward, place, is_backward)
            for filters in narrowed
            for order in ("urgency", "volume", "patient")
            for place in (None, SCANS // 3)
            for is_backward in ((False, True) if place else (False,))
        ]
        sorted_few = [await page_of(joined, each, 51) for each in asked]
        monkeypatch.setattr("daemon.index.worklist_pages.FEW", -1)
        monkeypatch.setattr("daemon.index.worklist_pages.FEW_COVERED", -1)
        assert [await page_of(joined, each, 51) for each in asked] == sorted_few
    assert sum(map(bool, sorted_few)) > len(asked) // 2


async def test_no_page_of_the_lists_reads_every_row(hospital: Settings) -> None:
    async with (
        open_index(hospital.daemon.index) as index,
        open_records(hospital.daemon.records) as records,
        open_joined(hospital.daemon.index, hospital.daemon.records) as joined,
    ):
        plans = [Planned(database) for database in (index, records, joined)]
        for order in ORDERS:
            for place in (None, SCANS // 2):
                await page_of(plans[2], Asked(Filters(), order, place=place), 51)
        some = (await list_patients(records, limit=150))[-1]
        for by in (Order.NAME, Order.ID):
            await page_of_patients(plans[1], "", by, some, 51)
        await ids_by_last_scan(plans[0], None, ("2024", "P"), 51)
        await find_patients(plans[2], "müller")
        steps = [step for each in plans for step in each.steps]
    scanned = {step for step in steps if re.match(r"SCAN (w|p|l|patient_scans|scans)\b", step)}
    assert len(steps) > 30
    assert {step for step in scanned if "INDEX" not in step} == set()
    assert not {step for step in steps if "TEMP B-TREE FOR ORDER BY" in step}


async def test_months_are_read_from_the_kept_numbers_alone(hospital: Settings) -> None:
    async with open_index(hospital.daemon.index) as index:
        planned = Planned(index)
        found = await monthly_figures(planned, datetime.now().astimezone())
    read = {step for step in planned.steps if re.match(r"(SCAN|SEARCH) (?!json_each)", step)}
    assert read == {"SEARCH month_figures USING PRIMARY KEY (month>?)"}
    assert sum(month.scans for month in found.months) > SCANS / 8


async def test_a_search_follows_what_is_entered_and_knows_its_bounds(hospital: Settings) -> None:
    async with open_records(hospital.daemon.records) as records:
        assert await count_patients(records, "") == PATIENTS
        assert await count_patients(records, "p0") == MOST_FOUND + 1 < PATIENTS
        new = await add_patient(records, "Neu-1", {"name": '小王 Żółć "Quote" %'})
        assert new is not None
        for text in ("zołc", 'quote"', "neu-1", "%", "ż neu", "王", "-1", 'e" -'):
            (found,) = await page_of_patients(records, text, Order.NAME, None, 9)
            assert found.patient_key == new.patient_key, text
        async with records.transaction():
            await records.change("UPDATE patients SET name = 'Other' WHERE patient_id = 'Neu-1'")
        assert await count_patients(records, "zołc") == 0
        async with records.transaction():
            await records.change("UPDATE patients SET deleted_at = '2026' WHERE patient_id='Neu-1'")
        assert await count_patients(records, "neu-1") == 0
        assert await find_patient(records, new.patient_key) is not None


class Planned(Database):
    """A connection whose queries are explained before they are asked."""

    def __init__(self, database: Database) -> None:
        super().__init__(database._connection)
        self.steps: list[str] = []

    async def rows(self, sql: str, values: Iterable[Any] = ()) -> list[Any]:
        """All rows, and how SQLite finds them."""
        kept = list(values)
        plan = await super().rows(f"EXPLAIN QUERY PLAN {sql}", kept)
        self.steps += [str(row["detail"]) for row in plan]
        return await super().rows(sql, kept)
