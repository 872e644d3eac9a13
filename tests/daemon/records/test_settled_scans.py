"""Scans that were not analyzed: settled by a person or by the rule, taken back, and audited."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.index.people.audit import Action, Told, first_wrong, page_of_audit, telling
from daemon.index.people.triage.settled_scans import settlings_of
from daemon.index.worklist_pages import Asked, Filters, conditions_of
from daemon.index.worklist_rows import situation_of
from daemon.records.settled_scans import CannotSettle, SettlingRule, settle, take_back
from daemon.settings import DaemonSettings
from tests.daemon.index.worklist_lists import Lists, open_lists
from tests.phantoms.reports import INPUT

NO_FLAIR = [{"code": "no_flair", "message": "No series is a FLAIR."}]
UNREVIEWED = Asked(Filters(is_unreviewed=True))


def series(*descriptions: str) -> dict[str, Any]:
    """The input of a study of these series, none of which is chosen."""
    rows = [
        {
            "description": each,
            "number": number,
            "modality": "MR",
            "slices": 20,
            "chosen": False,
            "reason": "It is no FLAIR.",
        }
        for number, each in enumerate(descriptions)
    ]
    return INPUT | {"series": rows}


@pytest.fixture
async def lists(tmp_path: Path) -> AsyncIterator[Lists]:
    async with open_lists(tmp_path) as here:
        yield here


async def publish(lists: Lists, scan_id: str, **changes: Any) -> None:
    """A scan that was not analyzed."""
    nothing: dict[str, Any] = {"finding": "not_judged", "volume_ml": None, "lesions": []}
    await lists.publish(scan_id, **nothing | {"quality": NO_FLAIR} | changes)


async def test_a_settled_scan_leaves_what_needs_review_until_it_is_taken_back(lists: Lists) -> None:
    await publish(lists, "one")
    await publish(lists, "two")
    await lists.publish("three", quality=[])
    ids = ["one", "three", "one", "nobody"]
    assert await settle(lists.index, lists.records, ids, "no_flair", "", "Dr Ada") == 1
    assert sorted(await lists.states()) == [("one", "done"), ("three", "done"), ("two", "review")]
    (row,) = await lists.rows(Asked(Filters(is_settled=True)))
    assert (row.scan_id, row.settled, row.reviewer) == ("one", "no_flair", "Dr Ada")
    assert {row.scan_id for row in await lists.rows(UNREVIEWED)} == {"two", "three"}
    arrived = (await situation_of(lists.joined, "2000")).arrived
    assert arrived == {"done": 2, "review": 1}
    assert await settle(lists.index, lists.records, ["one"], "other", "again", "Bo") == 0
    assert await take_back(lists.index, lists.records, ["one", "two"], "", "Bo") == 1
    assert {row.scan_id for row in await lists.rows(UNREVIEWED)} == {"one", "two", "three"}
    said = await settlings_of(lists.records, "one")
    assert [(each.reason, each.settled_by) for each in said] == [("", "Bo"), ("no_flair", "Dr Ada")]


@pytest.mark.parametrize("filters", [Filters(is_settled=True), Filters(is_unreviewed=True)])
async def test_both_lists_are_found_by_an_index_of_their_own(
    lists: Lists, filters: Filters
) -> None:
    (condition,) = conditions_of(filters)
    sql = f"EXPLAIN QUERY PLAN SELECT row_id FROM worklist w WHERE {condition.sql}"
    (plan,) = await lists.joined.rows(sql)
    assert plan["detail"] == f"SCAN w USING INDEX {condition.index}"


async def test_a_new_analysis_needs_a_person_again(lists: Lists) -> None:
    await publish(lists, "s")
    await settle(lists.index, lists.records, ["s"], "no_flair", "", "Dr Ada")
    await publish(lists, "s", revision=2, judged_revision=1)  # compared anew alone
    assert await lists.states() == [("s", "done")]
    await publish(lists, "s", revision=3)  # late files
    assert await lists.states() == [("s", "review")]


@pytest.mark.parametrize(
    ("reason", "comment"),
    [("", ""), ("rule", ""), ("odd", ""), ("other", " "), ("other", "x" * 501)],
)
async def test_a_reason_is_one_of_the_list_and_other_needs_words(
    lists: Lists, reason: str, comment: str
) -> None:
    await publish(lists, "s")
    with pytest.raises(CannotSettle):
        await settle(lists.index, lists.records, ["s"], reason, comment, "Dr Ada")
    assert await lists.states() == [("s", "review")]


async def test_the_audit_has_an_entry_of_each_scan_and_holds_together(lists: Lists) -> None:
    await publish(lists, "one")
    await publish(lists, "two")
    with telling(Told("ada", Action.REVIEW, "/worklist/act", by="by token 3")):
        await settle(lists.index, lists.records, ["one", "two"], "no_flair", "", "Dr Ada")
    entries = await page_of_audit(lists.records)
    assert [(each.account, each.subject, each.detail) for each in entries] == [
        ("ada", "two", "settled: no_flair by token 3"),
        ("ada", "one", "settled: no_flair by token 3"),
    ]
    assert await first_wrong(lists.records) is None


async def test_the_rule_settles_what_is_routine_and_nothing_else(lists: Lists) -> None:
    await publish(lists, "spine", input=series("T2 tse SPINE", "t1 spine sag"))
    await publish(lists, "mixed", input=series("T2 spine", "ax FLAIR"))
    await publish(lists, "nameless", input=series("", "T2 spine"))
    odd = [*NO_FLAIR, {"code": "identity_conflict", "message": "Two names."}]
    await publish(lists, "doubtful", quality=odd, input=series("T2 spine"))
    study = {"uid": "1.2", "accession": "", "date": "", "station": "MR7 "}
    await publish(lists, "knee", input=series("pd fs") | {"study": study})
    await lists.publish("found", quality=[], input=series("T2 spine"))
    daemon = DaemonSettings(settle_series=("*spine*",), settle_stations=("mr7",))
    rule = SettlingRule(daemon, lists.index, lists.records)
    await rule.look()
    settled = {row.scan_id for row in await lists.rows(Asked(Filters(is_settled=True)))}
    assert settled == {"spine", "knee"}
    (entry, _) = await page_of_audit(lists.records)
    assert (entry.account, entry.detail) == ("rule", "settled: rule")

    await take_back(lists.index, lists.records, ["spine"], "", "Bo")
    await lists.states()  # the index hears of it
    await rule.look()
    assert ("spine", "review") in await lists.states()  # a person's word stands
    await publish(lists, "later", input=series("C spine"))
    await rule.look()
    assert ("later", "done") in await lists.states()


async def test_a_changed_rule_looks_at_all_again_and_none_at_nothing(lists: Lists) -> None:
    await publish(lists, "s", input=series("T2 knee"))
    for like, state in (((), "review"), (("*spine*",), "review"), (("*knee*",), "done")):
        await SettlingRule(DaemonSettings(settle_series=like), lists.index, lists.records).look()
        assert await lists.states() == [("s", state)], like


async def test_a_rebuilt_list_knows_what_was_settled(lists: Lists) -> None:
    await publish(lists, "s")
    await settle(lists.index, lists.records, ["s"], "wrong_patient", "", "Dr Ada")
    async with lists.index.transaction():
        await lists.index.change(
            "UPDATE worklist SET looked_up = 0, decision = '', reviewer = NULL"
        )
    (row,) = await lists.rows()
    assert (row.state, row.settled) == ("done", "wrong_patient")
    assert json.loads(row.brief or "{}")["finding"] == "not_judged"
