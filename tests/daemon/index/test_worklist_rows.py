"""The index's worklist: one row a scan whatever happens to it, ordered, paged, reviewed."""

import json
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.drops import State
from daemon.index import ledger, queue
from daemon.index.database import Database, open_index, open_joined, open_records
from daemon.index.inventory import mark_removed
from daemon.index.migrations import INDEX
from daemon.index.people.patient_search import find_patients
from daemon.index.people.patients import add_patient
from daemon.index.people.reviews import Decision, add_review
from daemon.index.scans import add_scan
from daemon.index.worklist_pages import ORDERS, Asked, Filters, count_changed, page_of
from daemon.index.worklist_rows import catch_up, situation_of
from tests.daemon.index.test_ledger import a_drop, claimed
from tests.daemon.index.worklist_lists import Lists, open_lists
from tests.phantoms.reports import LESION
from tests.viewer.test_house import scan_row

BEFORE_THE_LIST = 11  # steps


@pytest.fixture
async def lists(tmp_path: Path) -> AsyncIterator[Lists]:
    async with open_lists(tmp_path) as here:
        yield here


async def test_a_row_stays_the_same_row_on_its_way(lists: Lists) -> None:
    (drop_id,) = await ledger.add_drops(lists.index, [a_drop("a.nii")])
    (row,) = await lists.rows()
    assert (row.state, row.scan_id, row.is_first) == ("copying", None, True)
    await ledger.mark_rested(lists.index, [drop_id])
    assert [each.state for each in await lists.rows()] == ["waiting"]
    claim = await claimed(lists.index)
    assert [each.state for each in await lists.rows()] == ["running"]
    await ledger.finish(lists.index, claim, scan_row("P", "s"), {})
    (done,) = await lists.rows()
    assert (done.row_id, done.state, done.scan_id) == (row.row_id, "done", "s")
    assert done.brief is not None


async def test_revisions_and_duplicates_are_no_rows_beside_the_scan(lists: Lists) -> None:
    await lists.publish("s")
    await lists.publish("s", revision=2, finding="no_tumor", lesions=[])  # late files
    await lists.drop("again.nii")
    await ledger.finish_duplicate(lists.index, await claimed(lists.index), "s")
    assert await queue.add_reprocessing(lists.index, "s", "P")
    (row,) = await lists.rows()
    finding = json.loads(row.brief or "{}")["finding"]
    assert (row.scan_id, finding, row.is_again) == ("s", "no_tumor", True)
    (twin,) = await lists.rows(Asked(Filters(states=("duplicate",))))
    assert (twin.state, twin.scan_id) == ("duplicate", "s")
    await ledger.reject(lists.index, await claimed(lists.index), "It would not.")
    (row,) = await lists.rows()
    assert (row.state, row.reason) == ("review", "It would not.")


async def test_what_is_taken_away_or_tried_again_leaves_the_list(lists: Lists) -> None:
    gone, broken = await lists.drop("gone.nii"), await lists.drop("broken.nii", "Q")
    await ledger.withdraw(lists.index, gone)
    await ledger.reject(lists.index, await claimed(lists.index), "It is empty.")
    assert [(row.state, row.reason) for row in await lists.rows()] == [("failed", "It is empty.")]
    await queue.forget_rejected(lists.index, broken)
    assert await lists.rows() == []


async def test_a_review_ends_the_need_for_one_until_it_is_analyzed_anew(lists: Lists) -> None:
    doubt = [{"code": "low_confidence", "message": "Low."}]
    await lists.publish("s", quality=doubt)
    assert await lists.states() == [("s", "review")]
    await add_review(lists.records, "s", 1, Decision.ACCEPTED, "", "Dr Ada")
    (row,) = await lists.rows()
    assert (row.state, row.decision, row.reviewer) == ("done", "accepted", "Dr Ada")
    await lists.publish("s", revision=2, judged_revision=1, quality=doubt)  # compared anew
    assert await lists.states() == [("s", "done")]
    await lists.publish("s", revision=3, quality=doubt)
    assert await lists.states() == [("s", "review")]
    await add_review(lists.records, "s", 3, Decision.NEEDS_CORRECTION, "no", "Dr Ada")
    assert await lists.states() == [("s", "review")]


async def test_failed_and_doubtful_come_first_then_growth_then_the_newest(lists: Lists) -> None:
    for scan_id, percent in (("less", -30.0), ("more", 18.0), ("most", 50.0), ("none", None)):
        change = None if percent is None else {"volume_percent": percent, "volume_ml": percent}
        await lists.publish(scan_id, patient=scan_id, change=change, quality=[])
    await lists.publish("odd", patient="odd", finding="not_judged", volume_ml=None, lesions=[])
    await lists.drop("broken.nii", "Q")
    await ledger.reject(lists.index, await claimed(lists.index), "No.")
    await lists.drop("soon.nii", "R")
    assert [row.scan_id or row.state for row in await lists.rows()] == (
        ["failed", "odd", "most", "more", "less", "waiting", "none"]
    )


async def test_every_order_shows_each_row_once_forward_and_back(lists: Lists) -> None:
    chance = random.Random(3)
    for number in range(23):
        volume = chance.choice([None, 1.5, 40.0, 41.0])
        change = chance.choice([None, {"volume_percent": 5.0, "volume_ml": 1.0}])
        patient = f"P{number % 7}"
        await lists.publish(f"s{number}", patient, volume_ml=volume, change=change)
    for number in range(0, 7, 2):
        await add_patient(lists.records, f"P{number}", {"name": f"Name {9 - number}"})
    await catch_up(lists.joined, lists.records)
    everything = set(await page_of(lists.joined, Asked(Filters()), 99))
    assert len(everything) == 23
    for order in ORDERS:
        for is_ascending in (False, True):
            asked = Asked(Filters(), order, is_ascending)
            pages: list[list[int]] = [await page_of(lists.joined, asked, 5)]
            while pages[-1]:
                place = replace(asked, place=pages[-1][-1])
                pages.append(await page_of(lists.joined, place, 5))
            flat = [row_id for page in pages for row_id in page]
            assert (len(flat), set(flat)) == (23, everything), order
            back = replace(asked, place=pages[2][0], is_backward=True)
            assert await page_of(lists.joined, back, 5) == pages[1], order
    names = [row.patient_id for row in await lists.rows(Asked(Filters(), "patient", True))]
    assert names[:1] == ["P6"]  # Name 3; who has no name comes last
    assert names[-1] == "P5"


async def test_filters_and_searches_combine(lists: Lists) -> None:
    await lists.publish("a", "P1", finding="no_tumor", lesions=[], volume_ml=0.0)
    await lists.publish("b", "P2", quality=[{"code": "incomplete", "message": "m"}])
    await lists.publish("c", "P3", lesions=[LESION | {"side": "left"}])
    for patient, name in (("P1", "Øster^Ada"), ("P2", "O'Ada 100%"), ("P3", "李小龙")):
        await add_patient(lists.records, patient, {"name": name})
    await catch_up(lists.joined, lists.records)
    for text, patients in (
        ("ada", {"P1", "P2"}),
        ("ada øSTER", {"P1"}),
        ("小", {"P3"}),
        ("p2", {"P2"}),
        ("100%", {"P2"}),
        ("_", set()),
    ):
        assert set(await find_patients(lists.joined, text)) == patients, text
    both = await find_patients(lists.joined, "ada")
    for filters, scans in (
        (Filters(side="left"), ["c"]),
        (Filters(finding="tumor"), ["b", "c"]),
        (Filters(flag="incomplete"), ["b"]),
        (Filters(states=("review",)), ["b"]),
        (Filters(patients=both, accession="ada"), ["a", "b"]),
        (Filters(patients=both, accession="ada", finding="tumor"), ["b"]),
        (Filters(arrived_since="2100"), []),
        (Filters(arrived_since="2000", arrived_until="2100", is_unreviewed=True), ["a", "b", "c"]),
    ):
        found = {row.scan_id for row in await lists.rows(Asked(filters))}
        assert sorted(str(each) for each in found) == scans, filters


async def test_an_open_list_is_told_of_changes_elsewhere_in_it(lists: Lists) -> None:
    await lists.publish("a")
    await catch_up(lists.joined, lists.records)
    mark = (await situation_of(lists.joined, "")).mark
    assert await count_changed(lists.joined, Filters(), mark, 9) == set()
    await lists.publish("b", "Q")
    await add_review(lists.records, "a", 1, Decision.REJECTED, "no", "Dr Ada")
    await catch_up(lists.joined, lists.records)
    assert len(await count_changed(lists.joined, Filters(), mark, 9)) == 2
    assert await count_changed(lists.joined, Filters(states=("failed",)), mark, 9) == set()


async def test_a_row_knows_when_its_files_are_taken_away(lists: Lists) -> None:
    await lists.publish("s")
    (before,) = await lists.rows()
    mark = (await situation_of(lists.joined, "")).mark
    assert before.folder is not None
    await mark_removed(lists.index, before.folder, "2026-01-01")
    (after,) = await lists.rows()
    assert (after.folder, after.brief) == (None, before.brief)
    assert (await situation_of(lists.joined, "")).mark > mark


async def as_older(older: Database, today: Path) -> None:
    """The same drops, files and scans, in the columns that an older index has."""
    with closing(sqlite3.connect(today)) as source:
        for table in ("drops", "files", "scans"):
            known = await older.rows("SELECT name FROM pragma_table_info(?)", (table,))
            names = ", ".join(row["name"] for row in known)
            rows = source.execute(f"SELECT {names} FROM {table}").fetchall()
            marks = ", ".join("?" * len(known))
            async with older.transaction():
                await older.change_many(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)


async def test_an_older_index_gets_its_list_when_it_is_opened(tmp_path: Path) -> None:
    path, records = tmp_path / "index.sqlite", tmp_path / "records.sqlite"
    async with open_index(tmp_path / "today.sqlite") as index:
        today = Lists(index, index, index)
        await today.publish("s")
        await today.publish("t", "Q", revision=1)
        await today.drop("broken.nii", "R")
        await ledger.reject(index, await claimed(index), "No.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("daemon.index.database.INDEX", INDEX[:BEFORE_THE_LIST])
        async with open_index(path) as index:
            await as_older(index, tmp_path / "today.sqlite")
            assert (await ledger.count_states(index))[State.DONE] == 2
    async with (
        open_index(path) as index,
        open_records(records) as people,
        open_joined(path, records) as joined,
    ):
        now = Lists(index, people, joined)
        assert sorted(await now.states(), key=str) == (
            [("s", "done"), ("t", "done"), (None, "failed")]
        )
        async with index.transaction():
            await add_scan(index, replace(scan_row("Q", "t"), removed_at="2026"))
        rows = {row.scan_id: row.folder for row in await now.rows()}
        assert rows == {"s": b"P/s", "t": None, None: None}
