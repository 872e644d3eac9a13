"""A drawn mask: its draft is measured and kept, others are told, bad ones are refused."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from aiohttp import FormData

from daemon.index.people.audit import page_of_audit
from daemon.index.people.corrections import corrections_of
from daemon.index.people.mask_drafts import drafts_of
from daemon.index.scans import add_scan
from daemon.permissions import Role
from daemon.pipeline.worker_processes import Slot, WorkerDied
from tests.conftest import worker_here
from tests.daemon.pipeline.corrections import AFFINE, block
from tests.viewer.test_house import House, open_house, scan_row
from viewer.sessions import INDEX, RECORDS

SCAN = "5ca0"
WAY = f"/scans/{SCAN}/draft"


def packed(mask: "np.ndarray[Any, Any]", affine: "np.ndarray[Any, Any]" = AFFINE) -> bytes:
    """A mask as the browser sends it."""
    image = nib.Nifti1Image(mask, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, "scanner")
    return gzip.compress(image.to_bytes())


@pytest.fixture(autouse=True)
def _here() -> Iterator[None]:
    """That it runs in a worker of its own is seen in a browser."""
    with worker_here():
        yield


async def add(house: House, **changes: Any) -> None:
    """A scan whose mask is the small block."""
    files = {"seg.nii.gz": packed(block()), "overlay.png": b"png", "report.json": b"{}"}
    await house.add_scan("P1", SCAN, files, **changes)


async def put(house: House, content: bytes | BytesIO, csrf: str | None = None) -> tuple[int, Any]:
    """Send a draft; status, and what is told or the page's text."""
    headers = {"X-CSRF-Token": house.csrf if csrf is None else csrf}
    answer = await house.client.put(WAY, data=content, headers=headers)
    is_told = answer.content_type == "application/json"
    return answer.status, await answer.json() if is_told else await answer.text()


async def kept(house: House) -> list[str]:
    return [draft.full_name for draft in await drafts_of(house.app[RECORDS], SCAN)]


async def test_a_draft_is_measured_by_the_daemon_s_function_and_kept_for_its_person(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, who="Ada <L>") as house:
        await add(house)
        page = await house.page(f"/scans/{SCAN}")
        assert 'class="drawing" hidden' in page
        assert 'data-draft="0"' in page
        assert (await house.client.get(WAY)).status == 204
        mask = block(20, 40)
        status, told = await put(house, packed(mask))
        assert (status, told["others"]) == (200, [])
        assert told["figures"] == {
            "voxels": int(mask.sum()),
            "size": "2.0 ml",
            "count": 1,
            "lesions": [{"number": 1, "size": "2.00 ml", "diameters": "22 × 11 mm"}],
        }
        answer = await house.client.get(WAY)
        assert await answer.read() == packed(mask)
        page = await house.page(f"/scans/{SCAN}")
        assert "You have a draft of this mask that is not saved yet" in page
        assert not await corrections_of(house.app[RECORDS], SCAN)
        entries = await page_of_audit(house.app[RECORDS])
        assert not [each for each in entries if each.action == "change"]  # no statement yet


async def test_a_second_person_is_told_who_draws_since_when_and_sees_nothing_of_it(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, who="Ada <L>") as house:
        await add(house)
        await put(house, packed(block(20, 40)))
        await house.come_in("Bob", Role.REVIEWER)
        page = await house.page(f"/scans/{SCAN}")
        assert "Ada &lt;L&gt; has been drawing on this mask since 20" in page
        assert (await house.client.get(WAY)).status == 204
        status, told = await put(house, packed(block()))
        assert status == 200
        (other,) = told["others"]
        assert other.startswith("Ada <L> has been drawing on this mask since 20")
        assert await kept(house) == ["Ada <L>", "Bob"]
        answer = await house.client.delete(WAY, headers={"X-CSRF-Token": house.csrf})
        assert answer.status == 204
        assert await kept(house) == ["Ada <L>"]


async def test_what_is_sent_is_a_draft_no_more(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await add(house)
        for name, left in (("comment", 1), ("drawn", 0)):
            assert (await put(house, packed(block(20, 40))))[0] == 200
            form = FormData(quote_fields=False, default_to_multipart=True)
            for key, value in {"csrf": house.csrf, "revision": "1", name: "1"}.items():
                form.add_field(key, value)
            form.add_field("mask", BytesIO(packed(block(20, 40))), filename="drawn.nii.gz")
            way = f"/scans/{SCAN}/corrections"
            answer = await house.client.post(way, data=form, allow_redirects=False)
            assert answer.status == 303
            assert len(await kept(house)) == left
        assert len(await corrections_of(house.app[RECORDS], SCAN)) == 2


BEYOND = packed(np.zeros((64, 60, 7), np.uint8))
MOVED = packed(block(), AFFINE @ np.diag([1, 1, 1.1, 1]))


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 422, "no packed mask"),
        (b"not packed", 422, "no packed mask"),
        (gzip.compress(b"no NIfTI"), 422, "NIfTI"),
        (packed(block())[:-30], 422, "end"),
        (packed(block() * np.uint8(2)), 422, "not a mask"),
        (BEYOND, 422, "another grid"),
        (MOVED, 422, "another grid"),
        (b"\x1f\x8b" + bytes(16_100_000), 413, "16 megabytes"),
    ],
    ids=["nothing", "not packed", "no NIfTI", "cut off", "twos", "longer", "moved", "too large"],
)
async def test_what_is_no_mask_of_the_scan_is_refused_and_the_draft_before_stays(
    tmp_path: Path, content: bytes, status: int, words: str
) -> None:
    async with open_house(tmp_path) as house:
        await add(house)
        good = packed(block(20, 40))
        assert (await put(house, good))[0] == 200
        refused, page = await put(house, BytesIO(content))
        assert (refused, words in page) == (status, True), page
        assert await (await house.client.get(WAY)).read() == good


async def test_a_body_that_says_no_length_is_cut_off(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await add(house)
        come = 0

        async def body() -> Any:
            nonlocal come
            for _ in range(100):
                come += 1 << 20
                yield bytes(1 << 20)

        headers = {"X-CSRF-Token": house.csrf}
        answer = await house.client.put(WAY, data=body(), headers=headers)
        assert answer.status == 413
        assert come < 60_000_000
        assert await kept(house) == []


async def test_who_may_not_review_and_what_has_no_mask_are_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await add(house)
        assert (await put(house, packed(block()), csrf="of another"))[0] == 403
        await house.add_scan("P2", "5ca1", finding="not_judged", lesions=[], volume_ml=None)
        headers = {"X-CSRF-Token": house.csrf}
        way = "/scans/5ca1/draft"
        answer = await house.client.put(way, data=packed(block()), headers=headers)
        assert answer.status == 400
        assert "no mask" in await answer.text()
        assert 'class="drawing"' not in await house.page("/scans/5ca1")
        await house.come_in("Reader", Role.READER)
        assert 'class="drawing"' not in await house.page(f"/scans/{SCAN}")
        headers = {"X-CSRF-Token": house.csrf}
        for ask in (house.client.get, house.client.put, house.client.delete):
            assert (await ask(WAY, headers=headers)).status == 403
        assert await kept(house) == []


async def test_a_draft_is_kept_also_where_it_cannot_be_measured_just_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object) -> None:
        raise WorkerDied("It died.")

    async with open_house(tmp_path) as house:
        await add(house)
        monkeypatch.setattr(Slot, "run", dies)
        assert await put(house, packed(block(20, 40))) == (200, {"figures": None, "others": []})
        assert await (await house.client.get(WAY)).read() == packed(block(20, 40))


async def test_an_older_revision_of_a_scan_is_not_drawn_on(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await add(house)
        first = scan_row("P1", SCAN)
        report = first.report.changed(revision=2)
        newer = replace(first, revision=2, report_json=report.as_text())
        async with house.app[INDEX].transaction():
            await add_scan(house.app[INDEX], newer)
        assert 'class="drawing"' in await house.page(f"/scans/{SCAN}")
        assert 'class="drawing"' not in await house.page(f"/scans/{SCAN}?revision=1")
