"""Measured by hand in a real browser: where shapes lie, what they tell, that they stay."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Browsing
from tests.browser.test_canvas import PHONE, settle
from tests.browser.test_drawing import TALL, point
from tests.browser.test_scan import SHOWN, address, seen
from tests.daemon.pipeline.published import Given, publish
from tests.phantoms.heads import places
from tests.phantoms.stored_scans import HEAD, LESION

pytestmark = pytest.mark.long

INK = (127, 220, 255)
LIST = "#measurements ol > li"


def way(page: Page, *mm: tuple[float, float]) -> None:
    """One drag along places in mm to the right and to the front."""
    page.mouse.move(*point(page, *mm[0]))
    page.mouse.down()
    for place in mm[1:]:
        page.mouse.move(*point(page, *place), steps=3)
    page.mouse.up()


def inked(page: Page) -> int:
    """How many pixels of the stage are drawn in the colour of shapes."""
    settle(page)
    picture = np.asarray(seen(page).convert("RGB"), int)
    return int((np.abs(picture - INK).max(axis=2) < 12).sum())


def found(page: Page, at: int) -> list[float]:
    """The numbers of the measurement at a place of the list."""
    words = page.locator(f"{LIST} .found").nth(at).inner_text()
    return [float(number) for number in re.findall(r"[\d.]+\d", words)]


def test_each_shape_tells_what_is_there_and_stays_on_its_slice(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    with browsing.page(address(scans[1]["PIR"])) as page:
        page.wait_for_selector(SHOWN)
        slice_ = page.locator(".where").inner_text()
        page.keyboard.press("m")
        way(page, (-20, -30), (20, 0))
        expect(page.locator(LIST)).to_have_count(1, timeout=60_000)
        page.keyboard.press("g")
        way(page, (0, -40), (0, 0))
        way(page, (40, 0), (40, 0))
        expect(page.locator(LIST)).to_have_count(2, timeout=60_000)
        page.keyboard.press("q")
        right, front, _ = LESION
        way(page, (right - 8, front - 8), (right + 8, front + 8))
        expect(page.locator(LIST)).to_have_count(3, timeout=60_000)
        page.keyboard.press("t")
        way(page, (right, front), (right, front))
        expect(page.locator(LIST)).to_have_count(4, timeout=60_000)
        assert found(page, 0) == pytest.approx([50.0], abs=0.7)
        assert found(page, 1) == pytest.approx([90.0], abs=1.0)
        mean, sd, count, area = ellipse_in(right, front)
        told = found(page, 2)
        assert told[0] == pytest.approx(mean, rel=0.03)
        assert told[1] == pytest.approx(sd, abs=3)
        assert told[2] == pytest.approx(count, abs=3)
        assert told[3] == pytest.approx(area, rel=0.06)
        value, *place = found(page, 3)
        assert value == pytest.approx(mean, rel=0.15)
        assert place == pytest.approx([right, front, 7.5], abs=2.5)
        ink = inked(page)
        assert ink > 300
        for key, less in (("ArrowUp", True), ("ArrowDown", False)):
            page.keyboard.press(key)
            assert (inked(page) < ink / 20) is less
        page.reload()
        page.wait_for_selector(SHOWN)
        assert page.locator(".where").inner_text() == slice_
        expect(page.locator(".shapes text").first).to_be_visible()
        assert inked(page) == pytest.approx(ink, rel=0.05)
        page.locator("input.slice").fill("2")
        assert inked(page) == 0
        page.locator(f"{LIST} .go").first.click()
        assert inked(page) == pytest.approx(ink, rel=0.05)
        page.locator(LIST).nth(0).get_by_role("button", name="Delete").click()
        expect(page.locator("#measurements > ol > li")).to_have_count(3)
        assert inked(page) < ink
        page.get_by_text("Deleted measurements").click()
        expect(page.locator("#measurements details li")).to_contain_text("Deleted by N. Urse")


def ellipse_in(right: float, front: float) -> tuple[float, float, int, float]:
    """Mean, SD, pixels and mm2 of an ellipse of 16 mm on the slice with the largest area."""
    mm = places((44, 54, 30), HEAD.affine)
    slice_ = int(HEAD.lesion.sum((0, 1)).argmax())
    away = np.hypot(mm[..., 0] - right, mm[..., 1] - front)[..., slice_]
    values: np.ndarray[Any, Any] = HEAD.voxels[..., slice_][away <= 8]
    return float(values.mean()), float(values.std()), values.size, float(np.pi * 64)


def test_two_people_see_each_others_and_fingers_measure_on_a_phone(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    to = address(scans[1]["oblique"])
    with browsing.page(to, who="Ada", **PHONE) as phone, browsing.page(to, who="Bob") as desk:
        for page in (phone, desk):
            page.wait_for_selector(SHOWN)
        phone.locator("[data-tool=length]").click()
        box = phone.locator(".stage").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        touch = phone.context.new_cdp_session(phone)
        for kind, at in (("Start", 0), ("Move", 30), ("Move", 60), ("End", None)):
            points = [] if at is None else [{"x": x - 30 + at, "y": y}]
            touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
        expect(phone.locator(LIST)).to_have_count(1, timeout=60_000)
        expect(desk.locator(LIST)).to_contain_text("Ada", timeout=60_000)  # by itself
        assert inked(desk) > 50
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        desk.keyboard.press("m")
        way(desk, (-20, -30), (20, 0))
        expect(phone.locator(LIST)).to_have_count(2, timeout=60_000)


def test_scans_that_are_not_registered_are_locked_by_hand_at_an_offset(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    one, other = scans[1]["RAS"].scan_id, scans[1]["whole numbers"].scan_id
    with browsing.page(address(scans[1]["RAS"])) as page:
        link = page.locator(".identity a").first.get_attribute("href")
        page.goto(f"{browsing.site.url}{link}/compare?a={one}&b={other}")
        for side in (1, 2):
            page.wait_for_selector(f".side-{side} {SHOWN}")
        left, right = (page.locator(f".side-{side} input.slice") for side in (1, 2))
        left.fill("10")
        assert right.input_value() == "10", "by relative slice"
        page.keyboard.press("l")
        right.fill("14")
        assert left.input_value() == "10", "each by itself"
        page.locator("h1").click()
        page.keyboard.press("l")
        told = page.locator(".told").inner_text()
        assert re.search(r".4 slices \(.20\.0 mm\) ahead", told), told
        left.fill("12")
        assert right.input_value() == "16"
        right.fill("20")
        assert left.input_value() == "16"
        zooms = page.locator(".corner p").filter(has_text=re.compile("^Zoom"))
        box = page.locator(".side-1 .stage").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        for expected in (["Zoom 100 %", "Zoom 165 %"], ["Zoom 165 %", "Zoom 272 %"]):
            page.keyboard.down("Control")
            page.mouse.wheel(0, -200)
            page.keyboard.up("Control")
            settle(page)
            if expected[0] == "Zoom 100 %":
                assert zooms.all_inner_texts() == ["Zoom 165 %"] * 2
                page.get_by_role("button", name="Link window and zoom").click()
                page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            else:
                assert sorted(zooms.all_inner_texts()) == expected


def test_probabilities_are_shown_where_they_are_kept_and_the_rim_lies_where_they_say(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    plain = scans[1]["LPS"]
    given = replace(plain, patient="P8", number=80, changes=(("volume_ml_range", RIM_ML),))
    with ThreadPoolExecutor() as beside:  # Playwright has a loop of its own in this thread
        beside.submit(asyncio.run, publish(scans[0], [given])).result()
    volume = nib.Nifti1Image.from_filename(plain.dropped)
    mm = places((44, 54, 30), volume.affine)
    away = np.linalg.norm(mm - LESION, axis=-1)
    likely = np.clip(0.5 - (away - 16) / 20, 0, 1).astype(np.float32)
    kept = nib.Nifti1Image(likely, volume.affine)
    nib.save(kept, scans[0] / f"outbox/P8/{given.scan_id}/{given.scan_id}_prob.nii.gz")
    with browsing.page(address(plain)) as page:
        page.wait_for_selector(SHOWN)
        assert page.locator("[name=map], [name=rim]").count() == 0, "not kept: no control"
        page.goto(browsing.site.url + address(given))
        page.wait_for_selector(SHOWN)
        before = np.asarray(seen(page).convert("RGB"), int)
        page.keyboard.press("y")
        expect(page.locator(".legend")).to_contain_text("Probability of the network")
        settle(page)
        legend = page.locator(".legend")
        legend.evaluate("(each) => { each.style.visibility = 'hidden'; }")
        changed = np.abs(np.asarray(seen(page).convert("RGB"), int) - before).max(axis=2)
        page.keyboard.press("y")
        page.keyboard.press("u")
        expect(legend).to_contain_text(re.compile("solid .* 10.0 ml .* dashed one the 25.0 ml"))
        settle(page)
        box = page.locator(".glass").bounding_box()
        assert box is not None
        pixels = box["height"] / TALL
        right, front, up = LESION
        spot = box["width"] / 2 - right * pixels, box["height"] / 2 - front * pixels
        low, high = page.locator(".rim path:not(.around)").evaluate_all(ENDS)
        for ends, ml in ((low, RIM_ML[0]), (high, RIM_ML[1])):
            ball = (ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3)  # its radius in mm
            ring = np.sqrt(ball**2 - (up - 7.5) ** 2) * pixels
            assert np.hypot(*(np.array(ends) - spot).T).mean() == pytest.approx(ring, rel=0.06)
        rows, columns = np.nonzero(changed > 25)
        assert (columns.mean(), rows.mean()) == pytest.approx(spot, abs=4)
        page.keyboard.press("p")
        settle(page)
        assert page.locator(".rim path").count() == 0, "in the plane of acquisition alone"


RIM_ML = [10.0, 25.0]
ENDS = """paths => paths.map((path) => path.getAttribute("d").split(/[ML]/).slice(1)
  .map((each) => each.split(" ").map(Number)))"""
