"""A corrected mask sent on a scan's page: kept, on record and queued, or refused in a sentence."""

import hashlib
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import FormData

from daemon.drops import DropKind
from daemon.index import ledger, queue
from daemon.index.people.corrections import corrections_of, note_made
from daemon.index.scans import ScanRow
from daemon.report import Report
from tests.phantoms.reports import MASK
from tests.viewer.test_house import House, open_house
from viewer.sessions import INDEX, RECORDS

SCAN = "5ca0"
WAY = f"/scans/{SCAN}/corrections"
RIGHT = {"revision": "1", "comment": "the <rim>"}


async def send(
    house: House, fields: dict[str, str], name: str = "m.nii.gz", content: bytes = b"mask"
) -> tuple[int, str]:
    """Post the form as a browser does; status and where it leads, or the page's text."""
    form = FormData(quote_fields=False, default_to_multipart=True)
    for key, value in ({"csrf": house.csrf} | fields).items():
        form.add_field(key, value)
    form.add_field("mask", BytesIO(content), filename=name)
    answer = await house.client.post(WAY, data=form, allow_redirects=False)
    return answer.status, answer.headers.get("Location", await answer.text())


def kept(house: House) -> list[str]:
    folder = house.settings.daemon.outbox / ".corrections"
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def queued(house: House) -> list[str]:
    drops = await ledger.open_drops(house.app[INDEX])
    return [each.drop.scan_to_analyze for each in drops if each.drop.kind is DropKind.CORRECT]


async def test_a_mask_is_kept_on_record_and_queued_and_the_page_tells_what_becomes_of_it(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, who="Ada <L>") as house:
        scan = await house.add_scan("P1", SCAN)
        assert await send(house, RIGHT) == (303, f"/scans/{SCAN}#corrections")
        assert kept(house) == [f"{hashlib.sha256(b'mask').hexdigest()}.nii.gz"]
        assert await queued(house) == [SCAN]
        page = await house.page(f"/scans/{SCAN}")
        assert "Uploaded by Ada &lt;L&gt;" in page
        assert "the &lt;rim&gt;" in page
        assert "Waiting to be measured." in page
        assert 'hx-trigger="every 2s"' in page
        (correction,) = await corrections_of(house.app[RECORDS], SCAN)
        claim = await queue.claim_next(house.app[INDEX])
        assert claim is not None
        assert claim.drop.correction_key == correction.correction_key
        assert "Being measured." in await house.page(WAY)
        await ledger.reject(house.app[INDEX], claim, "The mask is <empty>.")
        part = await house.page(WAY)
        assert "Rejected: The mask is &lt;empty&gt;." in part
        assert "hx-trigger" not in part
        await note_made(house.app[RECORDS], made(scan, correction.correction_key))
        part = await house.page(f"{WAY}?revision=0")
        assert "Saved as revision 2. Dice with the mask of the network: 0.81." in part
        assert ">Show it<" in part


def made(scan: ScanRow, key: str) -> Report:
    agreement = {"revision": 1, "dice": 0.81, "model_volume_ml": 41.2}
    mask = MASK | {"correction": key, "agreement": agreement}
    return scan.report.changed(revision=2, mask=mask)


@pytest.mark.parametrize(
    ("fields", "name", "status", "words"),
    [
        ({"csrf": "of another"}, "m.nii", 403, "out of date"),
        ({"comment": "x" * 2001}, "m.nii", 400, "longer than 2000"),
        ({"comment": "x" * 20000}, "m.nii", 400, "longer than 2000"),
        ({}, "m.jpg", 400, "is a NIfTI file, a PNG"),
        ({}, "../../x", 400, "is a NIfTI file, a PNG"),
        ({}, "", 400, "choose the file"),
        ({}, "large.nii", 413, "larger than 1 megabytes"),
    ],
)
async def test_a_form_that_cannot_be_taken_leaves_nothing_behind(
    tmp_path: Path, fields: dict[str, str], name: str, status: int, words: str
) -> None:
    async with open_house(tmp_path, max_upload_mb=1) as house:
        await house.add_scan("P1", SCAN)
        content = bytes(1_100_000) if name == "large.nii" else b"mask"
        answer = await send(house, RIGHT | fields, name, content)
        assert answer[0] == status
        assert words in answer[1]
        assert kept(house) == []
        assert await queued(house) == []
        assert await corrections_of(house.app[RECORDS], SCAN) == []


async def test_an_outbox_that_is_away_is_told_and_not_made_anew(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", SCAN)
        outbox = house.settings.daemon.outbox
        outbox.rename(tmp_path / "away")
        status, text = await send(house, RIGHT)
        assert status == 503
        assert "full or not available" in text
        assert not outbox.exists()


async def test_a_scan_that_was_not_analyzed_has_no_mask_to_correct(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", SCAN, finding="not_judged", lesions=[], volume_ml=None)
        assert "Upload corrected segmentation" not in await house.page(f"/scans/{SCAN}")
        status, text = await send(house, RIGHT)
        assert status == 400
        assert "was not analyzed" in text
        assert kept(house) == []
