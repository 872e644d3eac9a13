"""The scan's page in a real browser: what is seen lies where it was found; reading, comparing."""

import asyncio
import io
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.chromium import Browsing
from tests.daemon.pipeline.published import Given, publish
from tests.phantoms.stored_scans import REVISED

pytestmark = pytest.mark.long

SHOWN = ".view[data-shown]"
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
LARGEST = "Slice 17 of 30, tumor"
WITHOUT_WEBGL = """
const all = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind === "webgl2" ? null : all.call(this, kind, ...more);
};"""


def address(given: Given) -> str:
    return f"/scans/{given.scan_id}"


def yellow(picture: Image.Image) -> tuple[float, float, int]:
    """The middle of the mask's colour, from the picture's middle, and of how many pixels."""
    red, green, blue = np.asarray(picture.convert("RGB"), int).transpose(2, 0, 1)
    rows, columns = np.nonzero((red > 200) & (green > 150) & (green < 240) & (blue < 90))
    if not len(rows):
        return 0.0, 0.0, 0
    x, y = columns.mean() + 0.5 - picture.width / 2, rows.mean() + 0.5 - picture.height / 2
    return x, y, len(rows)


def seen(page: Page, part: str = ".stage") -> Image.Image:
    return Image.open(io.BytesIO(page.locator(part).first.screenshot()))


@pytest.mark.parametrize(
    "names",
    [
        ("RAS", "LPS", "PIR", "oblique"),
        ("micron", "no position", "two positions", "whole numbers"),
    ],
)
def test_the_mask_lies_where_the_overlay_shows_it_however_the_scan_is_stored(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]], names: tuple[str, ...]
) -> None:
    folder, by_name = scans
    with browsing.page("/patients") as page:
        for name in names:
            given = by_name[name]
            page.goto(browsing.site.url + address(given))
            page.wait_for_selector(SHOWN)
            figure = page.locator(".view")
            assert figure.get_attribute("data-drawn") == "canvas", name
            shown, painted = figure.get_attribute("data-shown"), page.evaluate(FIRST_PAINT)
            sys.stdout.write(f"{name}: picture after {painted:.0f} ms, canvas after {shown} ms\n")
            canvas = seen(page)
            drawn = folder / "outbox" / "P1" / given.scan_id / f"{given.scan_id}_overlay.png"
            with Image.open(drawn) as framed:
                overlay = framed.crop((0, 0, framed.width, framed.height - 26))
            scale = min(canvas.width / overlay.width, canvas.height / overlay.height)
            expected, there = yellow(overlay), yellow(canvas)
            assert np.allclose(np.array(there[:2]) / scale, expected[:2], atol=8), name
            unsure = name in ("no position", "two positions")  # these two contradict each other
            side = "side not known" if unsure else "on the patient's right"
            assert side in page.locator("h1").inner_text(), name
            if name not in ("PIR", "no position"):  # the one is sagittal, of the other nobody knows
                assert there[0] < 0, name  # the patient's right is on the left


def test_a_reader_scrolls_changes_the_look_and_measures(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    with browsing.page(address(scans[1]["RAS"])) as page:
        page.wait_for_selector(SHOWN)
        where = page.locator(".where")
        assert where.inner_text() == LARGEST
        assert page.locator(".strip rect").count() == int(scans[1]["RAS"].mask.any((0, 1)).sum())
        page.keyboard.press("ArrowUp")
        assert where.inner_text().startswith("Slice 18 of 30")
        page.locator(".glass").hover()
        page.mouse.wheel(0, 120)
        expect(page.locator(".where").first).not_to_contain_text("Slice 18")
        page.locator("input.slice").fill("1")
        assert where.inner_text() == "Slice 1 of 30"
        page.locator("tr.lesion").click()
        assert where.inner_text() == LARGEST
        outlined = yellow(seen(page))[2]
        page.keyboard.press("o")
        page.locator("[name=opacity]").fill("100")
        filled = yellow(seen(page))[2]
        page.keyboard.press("o")
        plain = seen(page)
        assert filled > 2 * outlined > 0 == yellow(plain)[2]
        page.keyboard.press("3")
        assert np.asarray(seen(page), int).mean() < 0.9 * np.asarray(plain, int).mean()
        page.keyboard.press("m")
        box = page.locator(".stage").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 50, y, steps=3)
        page.mouse.up()
        told = page.locator(".told")
        expect(told).to_have_text(re.compile(r"^[\d.]+ mm$"))
        length = re.fullmatch(r"([\d.]+) mm", told.inner_text())
        assert length is not None
        mm_of_a_pixel = 54 * 4.0 / box["height"]  # the picture's height fills the stage
        assert float(length[1]) == pytest.approx(50 * mm_of_a_pixel, rel=0.05)
        page.keyboard.press("p")
        assert page.locator("[name=planes]").get_attribute("aria-pressed") == "true"


def test_without_webgl2_the_server_draws_the_slices(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    with browsing.page("/patients", "dark") as page:
        page.add_init_script(WITHOUT_WEBGL)
        for name in ("PIR", "picture"):
            page.goto(browsing.site.url + address(scans[1][name]))
            page.wait_for_selector(SHOWN)
            assert page.locator(".view").get_attribute("data-drawn") == "pictures"
            still = page.locator(".still")
            assert still.evaluate("async (i) => { await i.decode(); return i.naturalWidth; }") > 0
            with page.expect_response(lambda answer: "marks=fill" in answer.url) as drawn:
                page.keyboard.press("o")
            assert drawn.value.status == 200
        assert page.locator(".scroller").is_hidden()  # one slice has nothing to scroll
        page.keyboard.press("m")
        assert "no scale" in page.locator(".told").inner_text()


def test_two_scans_scroll_together_by_place(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    by_name = scans[1]
    with browsing.page(address(by_name["later"])) as page:
        page.wait_for_selector(SHOWN)
        page.keyboard.press("c")
        page.wait_for_selector(".prior " + SHOWN)
        assert page.locator(".told").inner_text().startswith("Registered")
        page.locator(".views > .view input.slice").fill("13")
        texts = page.locator(".where").all_inner_texts()
        assert [text.split(",")[0] for text in texts] == ["Slice 10 of 30", "Slice 13 of 36"]
        page.get_by_text("Compare with another scan").click()
        page.wait_for_selector(".side-2 " + SHOWN)
        page.wait_for_selector(".side-1 " + SHOWN)
        page.locator(".side-1 input.slice").fill("10")
        assert page.locator(".side-2 .where").inner_text().startswith("Slice 13 of 36")
        assert "366 days" in page.locator(".between").inner_text()


def test_a_long_report_of_a_hostile_name_prints_on_one_page_and_hears_of_a_newer_one(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    again = scans[1]["again"]
    with browsing.page(address(again)) as page:
        page.wait_for_selector(SHOWN)
        assert "<img onerror=alert(1)>" in page.locator(".identity").inner_text()
        assert "27 more" in page.locator(".facts").inner_text()
        assert page.locator("#quality li").count() == 30
        assert len(re.findall(rb"/Type\s*/Page\b", page.pdf())) == 1
        assert page.locator(".come").is_hidden()
        newer = Given("P9", REVISED, again.dropped, again.kind, again.mask, 3)
        with ThreadPoolExecutor() as beside:  # Playwright has a loop of its own in this thread
            beside.submit(asyncio.run, publish(scans[0], [newer])).result()
        page.evaluate("document.dispatchEvent(new Event('gliowatch:changed'))")
        page.locator(".come").wait_for(state="visible")
        page.goto(page.url + "?revision=1")
        page.wait_for_selector(SHOWN)
        assert "was superseded" in page.locator(".wrong").first.inner_text()
