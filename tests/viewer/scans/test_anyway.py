"""A scan that the input check refused is analyzed at a reviewer's request, and that is told."""

import json
import shutil
from pathlib import Path

import pytest

from daemon.drops import DropKind
from daemon.index import ledger
from daemon.index.people.overrides import find_wish
from daemon.permissions import Role
from daemon.settings import Settings, load_settings
from tests.conftest import drain, reports
from tests.model.inference.test_input_check import T2, average_brain, save
from tests.viewer.test_house import House, house_of, open_house
from viewer.sessions import INDEX, RECORDS

REFUSED = [{"code": "not_flair", "message": "It is another sequence."}]
BLANK = [{"code": "blank", "message": "It is empty."}]


async def again(house: House) -> list[str]:
    drops = await ledger.open_drops(house.app[INDEX])
    return [each.drop.scan_to_analyze for each in drops if each.drop.kind is DropKind.AGAIN]


async def test_a_reviewer_asks_for_it_and_a_reader_may_not(tmp_path: Path) -> None:
    async with open_house(tmp_path, who="Eve <i>", role=Role.REVIEWER) as house:
        await house.add_scan("P1", "s1", finding="not_judged", quality=REFUSED)
        assert 'action="/scans/s1/anyway"' in await house.page("/scans/s1")
        assert await house.post("/scans/s1/anyway", {"wanted": "yes"}) == (303, "/scans/s1")
        assert await again(house) == ["s1"]
        assert "Asked for by Eve &lt;i&gt;" in await house.page("/scans/s1")
        wish = await find_wish(house.app[RECORDS], "s1")
        assert wish is not None
        assert (wish.is_wanted, wish.wished_by) == (True, "Eve <i>")
        await house.come_in("Rea Der", Role.READER)
        assert 'action="/scans/s1/anyway"' not in await house.page("/scans/s1")
        assert (await house.post("/scans/s1/anyway", {"wanted": "yes"}))[0] == 403


@pytest.mark.parametrize(
    ("finding", "quality"), [("not_judged", BLANK), ("tumor", REFUSED), ("no_tumor", [])]
)
async def test_what_is_analyzed_or_empty_cannot_be_asked_for(
    tmp_path: Path, finding: str, quality: list[dict[str, str]]
) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s1", finding=finding, quality=quality)
        assert 'action="/scans/s1/anyway"' not in await house.page("/scans/s1")
        status, text = await house.post("/scans/s1/anyway", {"wanted": "yes"})
        assert status == 400
        assert "Nothing can be changed" in text
        assert await again(house) == []


async def test_it_becomes_a_revision_and_goes_back(hospital: Settings) -> None:
    place = hospital.daemon.inbox.parent / "settings.toml"
    place.write_text(place.read_text().replace("least_flair = 0\n", ""))
    settings = load_settings(place)
    made = save(average_brain(T2), (1.5, 1.5, 4.5), place.parent / "t2.nii")
    (hospital.daemon.inbox / "P").mkdir()
    shutil.copy(made, hospital.daemon.inbox / "P" / "t2.nii")
    assert drain(place.parent).returncode == 0
    (first,) = reports(settings)
    assert (first["finding"], first["quality"][0]["code"]) == ("not_judged", "not_flair")
    address = f"/scans/{first['scan_id']}/anyway"
    for wanted in ("yes", "no"):
        async with house_of(settings) as house:
            assert (await house.post(address, {"wanted": wanted}))[0] == 303
        assert drain(place.parent).returncode == 0
        assert drain(place.parent).returncode == 0  # what was followed is not followed again
    _, second, third = sorted(reports(settings), key=lambda each: int(each["revision"]))
    assert second["finding"] != "not_judged"
    assert "analyzed_anyway" in [note["code"] for note in second["quality"]]
    assert "other than FLAIR" in json.dumps(second["quality"])
    assert (third["finding"], third["quality"][0]["code"]) == ("not_judged", "not_flair")
