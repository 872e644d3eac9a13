"""Measured by hand: kept as a statement, seen by all, taken back by its person, left as a wish."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.index.people.accounts import find_account, set_role
from daemon.index.people.audit import page_of_audit
from daemon.index.people.measurements import MOST_KEPT, documents_of, measurements_of
from daemon.permissions import Role
from tests.conftest import worker_here
from tests.daemon.pipeline.corrections import SHAPE
from tests.viewer.scans.test_drawing import packed
from tests.viewer.test_house import House, open_house
from viewer.sessions import RECORDS

SCAN = "5ca0"
WAY = f"/scans/{SCAN}/measurements"
VOXELS = np.indices(SHAPE)[0].astype(np.float32)
LINE = "[[10, 10, 3], [40, 50, 3]]"
INPUT: dict[str, Any] = {"shape": SHAPE, "spacing_mm": [1.0, 1.0, 5.0]}
SLICES = {"plane": "axial", "axis": 2, "reversed": False, "areas_px": [0] * SHAPE[2]}


WRONG = (
    ("circle", LINE),
    ("length", "[[1, 2, 3]]"),
    ("length", "[[1, 2], [3, 4]]"),
    ("length", '[["a", 2, 3], [1, 2, 3]]'),
    ("length", "[[1e400, 2, 3], [1, 2, 3]]"),
    ("length", "[[NaN, 2, 3], [1, 2, 3]]"),
    ("length", "[[100, 2, 3], [1, 2, 3]]"),
    ("length", "[[1, 2, 3], [1, 2, 4]]"),
    ("length", "{"),
    ("probe", "7"),
    ("length", "[" * 900),
)


@pytest.fixture(autouse=True)
def _here() -> Iterator[None]:
    """That it runs in a worker of its own is seen in a browser."""
    with worker_here():
        yield


async def add(house: House, scan_id: str = SCAN, **given: Any) -> None:
    """A scan of 64 x 60 x 6 voxels whose grey value is its column."""
    files = {"flair.nii.gz": packed(VOXELS), "overlay.png": b"png", "report.json": b"{}"}
    files["seg.nii.gz"] = packed(np.zeros(SHAPE, np.uint8))
    await house.add_scan("P1", scan_id, files, input=INPUT | given, slices=SLICES, quality=[])


async def measure(house: House, points: str = LINE, shape: str = "length") -> tuple[int, str]:
    return await house.post(WAY, {"shape": shape, "points": points})


async def change(house: House, sql: str, *values: Any) -> None:
    async with house.app[RECORDS].transaction():
        await house.app[RECORDS].change(sql, values)


async def number_of(house: House) -> str:
    return str((await measurements_of(house.app[RECORDS], SCAN))[-1].measurement_id)


async def test_each_shape_is_measured_and_told_to_everybody(tmp_path: Path) -> None:
    async with open_house(tmp_path, who="Ada <L>") as house:
        await add(house)
        assert 'id="measurements"' in await house.page(f"/scans/{SCAN}")
        for shape, points in (
            ("length", "[[10, 20, 3], [13, 24, 3]]"),
            ("angle", "[[10, 20, 3], [10, 10, 3], [20, 10, 3]]"),
            ("ellipse", "[[10, 20, 3], [30, 40, 3]]"),
            ("probe", "[[12, 20, 4]]"),
        ):
            status, page = await measure(house, points, shape)
            assert status == 200, page
        for name in ("Bob", "Ada <L>"):
            await house.come_in(name, Role.READER)
            page = await house.page(f"/scans/{SCAN}")
            for words in (
                *("5.0 mm", "90.0°", "Mean 20.0, SD", "Area 314.2 mm²", "Value 12.0"),
                *("Length, slice 4", "Probe, slice 5", "At L 12.0 P 20.0 S 20.0 mm"),
                "Ada &lt;L&gt;, 20",
            ):
                assert words in page, words
        actions = [each.action for each in await page_of_audit(house.app[RECORDS])]
        assert actions.count("review") == 4


async def test_two_people_at_once_keep_both_and_each_takes_back_the_own(tmp_path: Path) -> None:
    async with open_house(tmp_path, role=Role.REVIEWER, who="Ada") as house:
        await add(house)
        await measure(house)
        hers = await number_of(house)
        await house.come_in("Bob", Role.REVIEWER)
        assert (await measure(house, "[[1, 1, 2], [5, 4, 2]]"))[0] == 200
        page = await house.page(WAY)
        assert page.count("measurements/remove") == 1, "the own alone"
        status, page = await house.post(f"{WAY}/remove", {"number": hers})
        assert (status, "no such measurement of yours" in page) == (422, True)
        status, page = await house.post(f"{WAY}/remove", {"number": await number_of(house)})
        assert status == 200
        assert "Deleted by Bob" in page
        assert "50.0 mm" in page
        await house.come_in("Chief", Role.ADMIN)
        status, page = await house.post(f"{WAY}/remove", {"number": hers})
        assert (status, "Deleted by Chief" in page) == (200, True)
        await house.post(f"{WAY}/remove", {"number": hers})
        found = await measurements_of(house.app[RECORDS], SCAN)
        assert [each.removed_by for each in found] == ["Chief", "Bob"], "kept, as first said"
        shapes = page.split("data-shapes='")[1].split("'")[0]
        assert json.loads(shapes) == []


async def test_what_was_said_stays_when_its_person_loses_the_right(tmp_path: Path) -> None:
    async with open_house(tmp_path, role=Role.REVIEWER, who="Ada") as house:
        await add(house)
        await measure(house)
        number = await number_of(house)
        account = await find_account(house.app[RECORDS], "Ada")
        assert account is not None
        await set_role(house.app[RECORDS], account.account_id, Role.READER)
        await house.come_in("Ada", Role.READER)
        page = await house.page(f"/scans/{SCAN}")
        assert "50.0 mm" in page
        assert "measurements/remove" not in page
        for way, fields in (("", {}), ("/remove", {"number": number}), ("/leave", {})):
            assert (await house.post(WAY + way, fields))[0] == 403, way
        answer = await house.client.get(f"/scans/{SCAN}/measure?shape=length&points={LINE}")
        assert (await answer.json())["words"] == ["50.0 mm"], "measured, not kept"
        assert len(await measurements_of(house.app[RECORDS], SCAN)) == 1


async def test_forms_of_another_session_and_what_is_no_shape_are_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await add(house, kind="dicom")
        await measure(house)
        for way in ("", "/remove", "/leave"):
            fields = {"csrf": "of another", "shape": "length", "points": LINE, "number": "1"}
            assert (await house.post(WAY + way, fields))[0] == 403, way
        for shape, points in WRONG:
            status, page = await measure(house, points, shape)
            assert status == 422, (points, page)
        (kept,) = await measurements_of(house.app[RECORDS], SCAN)
        assert not kept.removed_at
        assert await documents_of(house.app[RECORDS], SCAN) == []


async def test_a_scan_takes_only_so_many(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await add(house)
        await change(
            house,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO measurements (scan_id, revision, grid, shape, points, figures,"
            " account_id, measured_by, measured_at) SELECT ?, 1, '', 'probe', '[[1,1,1]]',"
            """ '{"place": null, "value": 1.0}', 1, 'A', '2026-01-01' FROM n""",
            MOST_KEPT,
            SCAN,
        )
        status, page = await measure(house)
        assert (status, f"has {MOST_KEPT} measurements" in page) == (422, True)


async def test_on_other_voxels_it_is_told_and_not_drawn(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await add(house)
        await measure(house)
        await change(house, "UPDATE measurements SET grid = 'another'")
        page = await house.page(WAY)
        assert "whose voxels or pixel spacing are others" in page
        assert "data-shapes='[]'" in page


async def test_only_ones_own_on_a_dicom_scan_can_be_left_as_sr_and_once(tmp_path: Path) -> None:
    async with open_house(tmp_path, role=Role.REVIEWER, who="Ada") as house:
        await add(house)
        await measure(house)
        status, page = await house.post(f"{WAY}/leave", {})
        assert (status, "Only measurements on a DICOM scan" in page) == (422, True)
        assert "measurements/leave" not in await house.page(WAY)
    async with open_house(tmp_path, role=Role.REVIEWER, who="Bob") as house:
        await add(house, "5ca1", kind="dicom")
        way = "/scans/5ca1/measurements"
        assert (await house.post(f"{way}/leave", {}))[0] == 422
        await house.post(way, {"shape": "length", "points": LINE})
        assert "measurements/leave" in await house.page(way)
        status, page = await house.post(f"{way}/leave", {})
        assert status == 200
        assert "that Bob asked for" in page
        assert "measurements/leave" not in page
        assert (await house.post(f"{way}/leave", {}))[0] == 422
        (wish,) = await documents_of(house.app[RECORDS], "5ca1")
        assert (wish.asked_by, len(wish.numbers)) == ("Bob", 1)


async def test_without_its_files_a_scan_is_not_measured(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", SCAN, slices=SLICES)
        status, page = await measure(house)
        assert (status, "no slices to measure on" in page) == (422, True)
