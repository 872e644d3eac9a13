"""A reviewer has another series of the study analyzed: it is recorded, told, and can be undone."""

import asyncio
import html
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from daemon.index.people.overrides import add_wish, find_wish
from daemon.permissions import Role
from daemon.records.overrides import wish_analysis
from daemon.service import run_daemon
from daemon.settings import Settings
from model.rules import AskedSeries
from tests.conftest import gliowatch, worker_here
from tests.daemon.pipeline.corrections import newest, save, send
from tests.model.reading.dicom.test_flair_selection import with_tags
from tests.phantoms.dicom_series import AFFINE, Series, write_series
from tests.viewer.scans.test_anyway import again
from tests.viewer.test_house import house_of, open_house
from viewer.sessions import INDEX, RECORDS

FLAIR: dict[str, Any] = {
    **{"description": "FLAIR", "number": 3, "modality": "MR", "slices": 6, "chosen": True},
    "reason": "",
}
T2 = FLAIR | {"description": "t2 <i>", "number": 2, "chosen": False, "reason": "Not FLAIR."}
BLANK = FLAIR | {"description": "", "number": None, "chosen": False, "reason": "Unknown."}
WHY = "the <b>header</b> is wrong"


async def test_a_reviewer_chooses_a_series_and_says_why_and_a_reader_may_not(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, who="Eve", role=Role.REVIEWER) as house:
        given = {"kind": "dicom", "series": [FLAIR, T2]}
        await house.add_scan("P1", "s1", input=given, finding="not_judged")
        page = await house.page("/scans/s1")
        assert 'action="/scans/s1/series"' in page
        assert "2/6/t2 &lt;i&gt;" in page
        assert "3/6/FLAIR" not in page  # it is the one that was analyzed
        for key, why, said in (
            ("3/6/FLAIR", WHY, "cannot be chosen"),
            ("9/6/none", WHY, "cannot be chosen"),
            ("2/6/t2 <i>", "  ", "say why"),
        ):
            status, text = await house.post("/scans/s1/series", {"series": key, "reason": why})
            assert (status, said in text) == (400, True), key
        assert await again(house) == []
        asked = {"series": "2/6/t2 <i>", "reason": WHY}
        assert await house.post("/scans/s1/series", asked) == (303, "/scans/s1#series")
        assert await again(house) == ["s1"]
        wish = await find_wish(house.app[RECORDS], "s1")
        assert wish is not None
        assert wish.series == AskedSeries(2, "t2 <i>", 6, "Eve")
        assert (wish.is_wanted, wish.reason) == (True, WHY)
        page = await house.page("/scans/s1")
        assert "Asked for by Eve" in page
        assert html.escape(WHY) in page
        assert 'action="/scans/s1/series"' not in page  # until it is done
        await house.come_in("Rea Der", Role.READER)
        assert 'action="/scans/s1/series"' not in await house.page("/scans/s1")
        assert (await house.post("/scans/s1/series", asked))[0] == 403


@pytest.mark.parametrize("anyway", [True, False])
async def test_taking_a_series_back_leaves_what_was_said_before(
    tmp_path: Path, anyway: bool
) -> None:
    async with open_house(tmp_path) as house:
        index, records = house.app[INDEX], house.app[RECORDS]
        await add_wish(records, "s1", anyway, "Ada")
        series = AskedSeries(2, "t2", 6, "Eve")
        await add_wish(records, "s1", is_wanted=True, who="Eve", series=series, reason="why")
        chosen = {"number": 2, "description": "t2", "slices": 6, "asked_by": "Eve"}
        given = {"kind": "dicom", "series": [FLAIR, T2], "series_asked": chosen}
        scan = await house.add_scan("P1", "s1", input=given)
        await wish_analysis(index, records, scan, is_wanted=False, who="Eve")
        wish = await find_wish(records, "s1")
        assert wish is not None
        assert wish.is_wanted is anyway


@pytest.mark.parametrize(
    ("series", "said"), [([FLAIR], None), ([FLAIR, BLANK, BLANK], "cannot be told apart")]
)
async def test_where_there_is_no_choice_the_page_says_why(
    tmp_path: Path, series: list[dict[str, Any]], said: str | None
) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s1", input={"kind": "dicom", "series": series})
        page = await house.page("/scans/s1")
        assert 'action="/scans/s1/series"' not in page
        assert said is None or said in page
        assert ("Analyze another series" in page) == (said is not None)


def fill(inbox: Path) -> None:
    """A study of two series in the patient's folder."""
    (inbox / "P").mkdir()
    for number, name in ((2, "t2 tse"), (3, "FLAIR")):
        stored = np.random.default_rng(number).integers(0, 999, (64, 60, 6)).astype(np.uint16)
        series = Series(
            name=name,
            uid=f"1.2.3.{number}",
            prefix=f"S{number}-",
            change=with_tags(SeriesNumber=str(number)),
        )
        write_series(inbox / "P", stored, AFFINE, series)


def analyzed(settings: Settings, scan_id: str) -> tuple[int, str, bool]:
    """Revision, series, and whether it is that of a person, all of the newest result."""
    _, report = newest(settings, scan_id)
    (chosen,) = (each["description"] for each in report["input"]["series"] if each["chosen"])
    assert chosen == report["input"]["description"]
    return report["revision"], chosen, "series_asked" in report["input"]


@pytest.mark.long
async def test_it_becomes_a_revision_survives_a_correction_and_is_taken_back(
    hospital: Settings, tmp_path: Path
) -> None:
    async def drain() -> None:
        with worker_here():
            for _ in range(2):  # what was followed is not followed again
                assert await run_daemon(hospital, True, asyncio.Event()) == 0

    fill(hospital.daemon.inbox)
    await drain()
    (place,) = hospital.daemon.outbox.glob("P/*")
    scan_id = place.name
    assert analyzed(hospital, scan_id) == (1, "FLAIR", False)
    async with house_of(hospital) as house:
        asked = {"series": "2/6/t2 tse", "reason": WHY}
        assert (await house.post(f"/scans/{scan_id}/series", asked))[0] == 303
    await drain()
    assert analyzed(hospital, scan_id) == (2, "t2 tse", True)
    _, report = newest(hospital, scan_id)
    codes = [note["code"] for note in report["quality"]]
    assert {"series_asked", "analyzed_anyway"} <= set(codes)
    assert WHY not in str(report)

    folder, _ = newest(hospital, scan_id)
    grid = nib.Nifti1Image.from_filename(folder / f"{scan_id}_seg.nii.gz")
    mask = np.zeros(grid.shape, np.uint8)
    mask[20:30, 20:30, 2:4] = 1
    drawn = save(mask, tmp_path / "mask.nii.gz", grid.affine)
    await asyncio.to_thread(send, hospital, scan_id, drawn)
    await drain()
    assert analyzed(hospital, scan_id) == (3, "t2 tse", True)
    assert newest(hospital, scan_id)[1]["mask"]["source"] == "corrected"

    async with house_of(hospital) as house:
        assert "Back to the series" in await house.page(f"/scans/{scan_id}")
        assert (await house.post(f"/scans/{scan_id}/anyway", {"wanted": "no"}))[0] == 303
    await drain()
    assert analyzed(hospital, scan_id) == (4, "FLAIR", False)
    assert (await asyncio.to_thread(gliowatch, hospital, "verify")).returncode == 0
