"""Two scans side by side: what does not fit is said, and nothing incomparable has an arrow."""

import re
from pathlib import Path
from typing import Any

import pytest

from daemon.outputs.dicom.sr_groups import change_group
from daemon.outputs.report_builder import change_sentence
from daemon.outputs.tables import Plain, rows_of
from daemon.report import Report
from daemon.report_parts import Change
from tests.phantoms.reports import CHANGE, INPUT, LESION, make_report
from tests.viewer.api.test_api import token_of
from tests.viewer.test_house import PNG, House, open_house
from viewer.scans.compare import pair_doubts

ARROWS = re.compile(r"[▲▼]|\d[\d.,]* %")


def pair(later_side: str = "right", **change: Any) -> tuple[Report, Report]:
    told = CHANGE | {"prior_scan_id": "a" * 20} | change
    lesions = [LESION | {"side": later_side}]
    return make_report(scan_id="a" * 20), make_report(
        scan_id="b" * 20, lesions=lesions, change=told
    )


def test_another_side_and_lesions_without_a_match_are_said() -> None:
    assert pair_doubts(*pair()) == []
    (doubt,) = pair_doubts(*pair("left"))
    assert doubt.startswith("The largest lesion lies on the patient's right in the earlier scan")
    assert pair_doubts(*pair(new_lesions=[1], gone_lesions=[1, 2])) == [
        "1 lesion of the later scan has no match in the earlier one.",
        "2 lesions of the earlier scan have no match in the later one.",
    ]
    unmatched = "The lesions of the two scans could not be matched with each other."
    assert pair_doubts(*pair(new_lesions=None, gone_lesions=None)) == [unmatched]
    assert pair_doubts(*pair(prior_scan_id="c" * 20)) == [unmatched]
    assert pair_doubts(make_report(lesions=[]), pair()[1]) == []


OTHER = {  # as older reports have it, per cent and all
    **CHANGE,
    "prior_scan_id": "a" * 20,
    "comparable": False,
    "measured_differently": ["spacing"],
    "words": "Not comparable with the prior of 2023-05-06: other spacing.",
}


async def two_scans(house: House) -> str:
    """A patient of two scans that are not comparable; the patient_key."""
    key = await house.add_patient("P1", name="Ada")
    files = {"overlay.png": PNG, "report.json": b"{}"}
    earlier = INPUT | {"acquired_at": "2023-05-06"}
    await house.add_scan("P1", "a" * 20, files, input=earlier, quality=[])
    side = [LESION | {"side": "left"}]
    await house.add_scan("P1", "b" * 20, files, change=OTHER, quality=[], lesions=side)
    return key


async def test_no_page_and_no_program_gets_a_per_cent_of_what_is_not_comparable(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        key = await two_scans(house)
        compare = f"/patients/{key}/compare?a={'a' * 20}&b={'b' * 20}"
        for path in ("/", "/patients", f"/patients/{key}", f"/scans/{'b' * 20}", compare):
            page = await house.page(path)
            told = re.sub(r"<[^>]*>", " ", page.split("<main")[1])
            assert ARROWS.findall(told) == [], path
        assert "The largest lesion lies on the patient&#39;s right" in page
        assert 'name="apart"' in page
        headers = await token_of(house)
        answer = await house.client.get(f"/api/v1/scans/{'b' * 20}", headers=headers)
        change = (await answer.json())["report"]["change"]
        assert change["volume_percent"] is change["longest_diameter_percent"] is None
        assert change["comparable"] is False


def test_no_table_page_or_object_has_one_either() -> None:
    report = make_report(change=OTHER, quality=[])
    (row,) = rows_of(report, Plain(), "P1")
    assert row["change_volume_percent"] == row["change_longest_diameter_percent"] == ""
    assert row["change_volume_ml"] == pytest.approx(6.2)
    assert report.change is not None
    group = str(change_group(report.change, report.scan_id))
    assert "percent" not in group
    assert "Volume change" in group
    assert isinstance(report.change.told, Change)
    assert ARROWS.findall(change_sentence(report.change)) == [], "what PDF and pages say"
