"""What people made of the network's masks is counted once each, and little is told of few."""

import asyncio
from pathlib import Path

import pytest

from daemon.index.database import Database, open_records
from daemon.index.people.corrections import Correction, add_correction, new_correction, note_made
from daemon.index.people.reviews import (
    PERSON,
    CorrectedMask,
    Decision,
    add_review,
    corrected_masks,
    last_words,
    people,
)
from daemon.records.reviews import by_month, by_network, decision_on, difference_of, overall, worst
from tests.phantoms.reports import make_report
from tests.viewer.test_house import open_house
from viewer.admin.agreement import difference_words
from viewer.sessions import RECORDS

OLD, NEW = "a" * 64, "b" * 64
ACCEPTED, REJECTED, NEEDS = Decision.ACCEPTED, Decision.REJECTED, Decision.NEEDS_CORRECTION


async def correct(records: Database, scan_id: str, dice: float, ml: float = 30.0) -> Correction:
    """A corrected mask that became revision 2 of a scan of 41.237 ml."""
    sent = new_correction(scan_id, 1, f"{'0' * 64}.nii.gz", False, "", "Cyd")
    await add_correction(records, sent)
    agreement = {"revision": 1, "dice": dice, "model_volume_ml": 41.237}
    mask = {"correction": sent.correction_key, "agreement": agreement}
    network = {"name": "unet", "weights_sha256": NEW, "threshold": 0.5}
    report = make_report(scan_id=scan_id, revision=2, volume_ml=ml, mask=mask, model=network)
    await note_made(records, report)
    return sent


async def test_the_last_word_on_a_mask_counts_and_a_correction_above_all(tmp_path: Path) -> None:
    async with open_records(tmp_path / "records.sqlite") as records:
        said: list[tuple[str, Decision, str]] = [
            *(("s1", ACCEPTED, OLD), ("s1", REJECTED, OLD), ("s2", ACCEPTED, OLD)),
            *(("s3", ACCEPTED, NEW), ("s4", NEEDS, NEW), ("s5", NEEDS, NEW)),
        ]
        for scan_id, decision, weights in said:
            await add_review(records, scan_id, 1, decision, "", "Ada", "", weights)
        await add_review(records, "s4", 2, REJECTED, "", "Bob", "border", PERSON)
        await correct(records, "s4", 0.5)
        await correct(records, "s4", 0.9)  # of one mask the last correction
        words, corrected = await last_words(records), await corrected_masks(records)
        (month,) = by_month(words, corrected)
        assert month.name == corrected[0].at[:7]
        assert (month.reviewed, month.accepted, month.rejected) == (5, 2, 1)
        assert (month.needs_correction, month.corrected, month.dice) == (1, 1, 0.9)
        old, new = by_network(words, corrected)
        assert (old.name, old.accepted, old.rejected, old.corrected) == (OLD, 1, 1, 0)
        assert (new.name, new.reviewed, new.corrected) == (NEW, 3, 1)
        assert overall(words, corrected).reviewed == 5
        found = {(each.name, each.decision): each.count for each in await people(records)}
        assert found[("Ada", ACCEPTED)] == 3
        assert found[("Cyd", None)] == 2


def masks(volumes: list[tuple[float | None, float | None]]) -> list[CorrectedMask]:
    return [
        CorrectedMask(f"s{n}", f"2026-01-{n + 1:02}", NEW, "Ada", n / 20, *ml)
        for n, ml in enumerate(volumes)
    ]


def test_limits_are_told_of_ten_and_more_and_pictures_have_none() -> None:
    few = difference_of(masks([(5.0, 3.0), (4.0, 4.0), (None, None)]))
    assert few is not None
    assert (few.count, few.mean, few.limits) == (2, 1.0, None)
    assert "too few to tell" in difference_words(few)
    many = difference_of(masks([(10.0 + (-1) ** n, 10.0) for n in range(10)]))
    assert many is not None
    assert many.limits == pytest.approx((-1.96 * (10 / 9) ** 0.5, 1.96 * (10 / 9) ** 0.5))
    assert "-2.1 and +2.1 ml" in difference_words(many)
    assert difference_of(masks([(None, None)])) is None
    assert [mask.scan_id for mask in worst(masks([(1.0, 1.0)] * 5)[::-1], 2)] == ["s0", "s1"]


async def test_a_corrected_mask_is_accepted_by_who_drew_it_until_somebody_rejects_it(
    tmp_path: Path,
) -> None:
    async with open_records(tmp_path / "records.sqlite") as records:
        corrected = make_report(scan_id="s1", revision=2, mask={"by": "Ada"})
        assert await decision_on(records, make_report(scan_id="s1")) is None
        assert await decision_on(records, corrected) is ACCEPTED
        await add_review(records, "s1", 2, REJECTED, "", "Bob", "border", PERSON)
        assert await decision_on(records, corrected) is REJECTED
        later = corrected.changed(revision=3, judged_revision=2)
        assert await decision_on(records, later) is REJECTED


async def test_the_page_lists_the_worst_with_links_and_hostile_names_as_text(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        assert "No mask of the network has been reviewed" in await house.page("/agreement")
        for number in range(3):
            await house.add_scan(f"P{number}", f"s{number}")
        records = house.app[RECORDS]
        await add_review(records, "s0", 1, REJECTED, "", "<img onerror=x>", "border", NEW)
        await correct(records, "s1", 0.9)
        await asyncio.sleep(0.002)
        await correct(records, "s2", 0.4)
        page = await house.page("/agreement")
        assert "3 masks were reviewed (accepted 0, corrected 2, rejected 1" in page
        assert "too few to tell how good the network is" in page
        assert page.index('href="/scans/s2"') < page.index('href="/scans/s1"')
        assert "Dice 0.40, 41.2 ml corrected to 30.0 ml" in page
        assert "Wrong border" in page
        assert "&lt;img onerror=x&gt;" in page
        assert "<img onerror" not in page
