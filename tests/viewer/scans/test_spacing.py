"""The size of pixels is entered on the scan's page where the file does not tell it."""

from pathlib import Path
from typing import Any

import pytest

from daemon.drops import DropKind
from daemon.index import ledger
from daemon.index.people.overrides import entered_spacing
from model.rules import Spacing
from tests.phantoms.reports import INPUT
from tests.viewer.test_house import House, open_house
from viewer.sessions import INDEX, RECORDS

BARE = [{"code": "units_unknown", "message": "No unit."}]
PICTURE: dict[str, Any] = INPUT | {"kind": "image"}
SIZES = {"across": "0.9", "down": "0,8", "between": "5.5"}


async def again(house: House) -> list[str]:
    drops = await ledger.open_drops(house.app[INDEX])
    return [each.drop.scan_to_analyze for each in drops if each.drop.kind is DropKind.AGAIN]


async def test_it_is_noted_analyzed_anew_and_taken_back(tmp_path: Path) -> None:
    async with open_house(tmp_path, who="Eve <i>") as house:
        await house.add_scan("P1", "s1", quality=BARE)
        assert await house.post("/scans/s1/spacing", SIZES) == (303, "/scans/s1")
        assert await again(house) == ["s1"]
        page = await house.page("/scans/s1")
        assert "Entered by Eve &lt;i&gt;" in page
        assert 'name="down" inputmode="decimal" maxlength="8" value="0.8"' in page
        entered = await entered_spacing(house.app[RECORDS], "s1")
        assert entered is not None
        assert entered.spacing == Spacing(0.9, 0.8, 5.5)
        await house.come_in("Bob")
        await house.post("/scans/s1/spacing", {})
        entered = await entered_spacing(house.app[RECORDS], "s1")
        assert entered is not None
        assert (entered.spacing, entered.entered_by) == (None, "Bob")


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (SIZES | {"across": "0.05"}, "between 0.1 and 5 mm"),
        (SIZES | {"down": "5.1"}, "between 0.1 and 5 mm"),
        (SIZES | {"between": "21"}, "between 0.1 and 20 mm"),
        (SIZES | {"between": ""}, "all distances"),
        (SIZES | {"across": "nan"}, "between 0.1 and 5 mm"),
        (SIZES | {"across": "wide"}, "a number, in millimetres"),
    ],
)
async def test_what_cannot_be_is_refused(
    tmp_path: Path, sent: dict[str, str], sentence: str
) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s1", quality=BARE)
        status, text = await house.post("/scans/s1/spacing", sent)
        assert status == 400
        assert sentence in text
        assert await again(house) == []


async def test_a_picture_has_two_and_a_files_own_scale_stays(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s1", input=PICTURE)
        await house.add_scan("P1", "s2")
        assert 'name="between"' not in await house.page("/scans/s1")
        assert (await house.post("/scans/s1/spacing", SIZES | {"csrf": "other"}))[0] == 403
        assert (await house.post("/scans/s1/spacing", SIZES))[0] == 303
        entered = await entered_spacing(house.app[RECORDS], "s1")
        assert entered is not None
        assert entered.spacing == Spacing(0.9, 0.8)
        assert "Save spacing" not in await house.page("/scans/s2")
        status, text = await house.post("/scans/s2/spacing", SIZES)
        assert status == 400
        assert "The file itself gives" in text
