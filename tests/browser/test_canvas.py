"""The canvas by mouse, fingers and keys: its pixels, and what stands over and beside it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.chromium import Browsing
from tests.browser.test_scan import SHOWN, address, seen, yellow
from tests.daemon.pipeline.published import Given
from tests.phantoms.stored_scans import LESION

pytestmark = pytest.mark.long

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
SIZES = ((1920, 1080), (1440, 900), (1280, 720))
EDGE = 4  # pixels
SHARE = 0.55  # of the screen, for the canvas at 1920 x 1080
MAIN_UNDER_FOOTER = """() => {
  const box = document.querySelector("footer.research").getBoundingClientRect();
  const under = [];
  for (let x = 1; x < box.width; x += 8) for (const y of [box.top + 1, box.bottom - 2])
    for (const each of document.elementsFromPoint(x, y))
      if (each.closest("main")) under.push(each.outerHTML.slice(0, 80));
  return under;
}"""
COLLISIONS = """() => {
  const boxes = [...document.querySelectorAll(".letter, .corner p, .scale-bar, .enlarge")]
    .map((each) => [each.textContent, each.getBoundingClientRect()])
    .filter(([, box]) => box.width && box.height);
  const wrongs = [];
  boxes.forEach(([name, one], at) => boxes.slice(at + 1).forEach(([other, two]) => {
    const across = one.left < two.right && two.left < one.right;
    if (across && one.top < two.bottom && two.top < one.bottom)
      wrongs.push(`${name} on ${other}`);
  }));
  const stage = document.querySelector(".stage").getBoundingClientRect();
  for (const [name, box] of boxes)
    if (box.left < stage.left || box.right > stage.right
        || box.top < stage.top || box.bottom > stage.bottom)
      wrongs.push(`${name} outside`);
  return wrongs;
}"""


def middle(page: Page) -> tuple[float, float]:
    """The middle of the stage, on the screen."""
    box = page.locator(".stage").first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def settle(page: Page) -> None:
    """Wait until what was asked for is drawn."""
    page.evaluate("() => new Promise((f) => requestAnimationFrame(() => requestAnimationFrame(f)))")


def drag(page: Page, way: tuple[float, float], button: Any = "left") -> None:
    """From the middle of the stage along a way."""
    x, y = middle(page)
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + way[0], y + way[1], steps=4)
    page.mouse.up(button=button)
    settle(page)


def canvas_pixels(page: Page) -> np.ndarray:
    """The canvas without what stands over it, and without the mark of the focus."""
    corners = page.locator(".corners").first
    corners.evaluate("(each) => { each.style.visibility = 'hidden'; }")
    picture = np.asarray(seen(page).convert("L"), int)[EDGE:-EDGE, EDGE:-EDGE]
    corners.evaluate("(each) => { each.style.visibility = ''; }")
    return picture


def corner(page: Page, line: str) -> str:
    """The line of the words over the picture that begins so."""
    return page.locator(".corner p").filter(has_text=re.compile(f"^{line}")).first.inner_text()


def test_the_right_button_changes_the_window_and_the_numbers_tell_it(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    with browsing.page(address(scans[1]["RAS"])) as page:
        page.wait_for_selector(SHOWN)
        page.keyboard.press("o")
        page.keyboard.press("o")  # no mask: grey values alone
        settle(page)
        first, told = canvas_pixels(page), corner(page, "W ")
        drag(page, (0, 120), "right")
        darker = canvas_pixels(page)
        assert darker.mean() < 0.8 * first.mean()
        assert corner(page, "W ") == page.locator(".told").inner_text() != told
        assert page.locator("[name=window]").input_value() == "own"
        drag(page, (150, -120), "right")
        width = [int(re.findall(r"[\d.]+", words)[0]) for words in (told, corner(page, "W "))]
        assert width[1] > 1.2 * width[0]
        page.keyboard.press("1")  # the preset that stood there before
        settle(page)
        assert np.abs(canvas_pixels(page) - first).max() <= 1
        assert corner(page, "W ") == told
        page.keyboard.press("w")
        drag(page, (0, 120))
        assert np.abs(canvas_pixels(page) - darker).mean() < 1  # the left one does the same now
        page.keyboard.press("0")
        settle(page)
        assert np.abs(canvas_pixels(page) - first).max() <= 1


def test_zoom_stays_at_the_pointer_pan_follows_it_and_both_can_be_reset(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    with browsing.page(address(scans[1]["RAS"]), "dark") as page:
        page.wait_for_selector(SHOWN)
        page.keyboard.press("o")
        page.locator("[name=opacity]").fill("100")
        settle(page)
        first = yellow(seen(page))
        x, y = middle(page)
        page.mouse.move(x + first[0], y + first[1])
        page.keyboard.down("Control")
        page.mouse.wheel(0, -400)
        page.keyboard.up("Control")
        settle(page)
        zoomed = yellow(seen(page))
        assert corner(page, "Zoom") == "Zoom 272 %"
        assert zoomed[2] == pytest.approx(np.e**2 * first[2], rel=0.08)
        assert np.allclose(zoomed[:2], first[:2], atol=4)
        drag(page, (40, -30), "middle")
        panned = yellow(seen(page))
        assert np.allclose(np.subtract(panned[:2], zoomed[:2]), (40, -30), atol=2)
        page.keyboard.down("Space")
        drag(page, (-40, 30))
        page.keyboard.up("Space")
        assert np.allclose(yellow(seen(page))[:2], zoomed[:2], atol=2)
        page.mouse.dblclick(x, y)
        settle(page)
        back = yellow(seen(page))
        assert back == pytest.approx(first, abs=1)
        assert corner(page, "Zoom") == "Zoom 100 %"
        where = page.locator(".where").inner_text()
        drag(page, (0, -60))  # the left button scrolls, and nothing else
        assert page.locator(".where").inner_text() != where
        assert corner(page, "Zoom") == "Zoom 100 %"


def test_fingers_scroll_pinch_and_tap_on_a_phone(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    with browsing.page(address(scans[1]["RAS"]), **PHONE) as page:
        page.wait_for_selector(SHOWN)
        x, y = middle(page)
        touch = page.context.new_cdp_session(page)

        def fingers(kind: str, *points: tuple[float, float]) -> None:
            there = [{"x": px, "y": py, "id": n} for n, (px, py) in enumerate(points)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": there})

        assert page.locator(".where").inner_text().startswith("Slice 17 of")
        fingers("touchStart", (x, y))
        for step in range(1, 9):
            fingers("touchMove", (x, y - 10 * step))
        fingers("touchEnd")
        settle(page)
        where = page.locator(".where").inner_text()
        assert int(where.split()[1]) > 18, where
        assert page.evaluate("document.querySelector('main').scrollTop + scrollY") == 0
        fingers("touchStart", (x - 30, y), (x + 30, y))
        for step in range(1, 7):
            fingers("touchMove", (x - 30 - 5 * step, y), (x + 30 + 5 * step, y))
        fingers("touchEnd")
        settle(page)
        assert corner(page, "Zoom") == "Zoom 200 %"
        assert page.locator(".where").inner_text() == where
        for _ in range(2):
            fingers("touchStart", (x, y))
            fingers("touchEnd")
        settle(page)
        assert corner(page, "Zoom") == "Zoom 100 %"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("document.querySelector('main').scrollWidth") <= 390
        assert page.evaluate(COLLISIONS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_canvas_fills_the_window_and_nothing_lies_under_the_footer(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]], scheme: str
) -> None:
    with browsing.page(address(scans[1]["later"]), scheme) as page:
        page.wait_for_selector(SHOWN)
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            settle(page)
            canvas = page.locator(".glass").bounding_box()
            footer = page.locator("footer.research").bounding_box()
            assert canvas is not None
            assert footer is not None
            if width == SIZES[0][0]:
                assert canvas["width"] * canvas["height"] >= SHARE * width * height
            for name in ("Accept", "Reject", "Needs correction"):
                box = page.get_by_role("radio", name=name).bounding_box()
                assert box is not None
                assert box["y"] + box["height"] <= footer["y"]
            for part in (page.get_by_role("button", name="Save review"), page.locator(".where")):
                box = part.bounding_box()
                assert box is not None
                assert box["y"] + box["height"] <= footer["y"]
            assert page.evaluate(MAIN_UNDER_FOOTER) == []
            assert page.evaluate(COLLISIONS) == []
        page.evaluate("document.querySelector('main').scrollTo(0, 1e6)")
        assert page.evaluate(MAIN_UNDER_FOOTER) == []
        page.keyboard.press("f")
        page.wait_for_function("() => document.fullscreenElement?.matches('.seeing')")
        page.keyboard.press("f")
        page.wait_for_function("() => document.fullscreenElement === null")


def test_the_corners_tell_whose_it_is_where_and_how_it_is_shown(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    with browsing.page(address(scans[1]["later"])) as page:
        page.wait_for_selector(SHOWN)
        words = page.locator(".corners").inner_text()
        for part in ("ID P3", "Acquired: 2025-01-05", "/36", "Slice spacing 5.0 mm", "Zoom 100 %"):
            assert part in words
        first = re.search(r"Location ([SI]) ([\d.]+) mm", words)
        assert first is not None, words
        page.keyboard.press("ArrowUp")
        settle(page)
        second = re.search(r"Location ([SI]) ([\d.]+) mm", page.locator(".corners").inner_text())
        assert second is not None
        place = [float(m[2]) * (1 if m[1] == "S" else -1) for m in (first, second)]
        assert place[1] - place[0] == pytest.approx(5.0)
        bar, stage = page.locator(".scale-bar"), page.locator(".stage").bounding_box()
        box, length = bar.bounding_box(), float(bar.inner_text().split()[0])
        assert box is not None
        assert stage is not None
        assert box["width"] == pytest.approx(length / (54 * 4.0) * stage["height"], rel=0.02)
        page.keyboard.press("i")
        expect(page.locator(".corner").first).to_be_hidden()
        expect(page.locator(".letter").first).to_be_visible()  # sides are never in doubt
        page.reload()
        page.wait_for_selector(SHOWN)
        expect(page.locator(".corner").first).to_be_hidden()
        page.keyboard.press("i")
        page.goto(browsing.site.url + address(scans[1]["picture"]))
        page.wait_for_selector(SHOWN)
        words = page.locator(".corners").inner_text()
        assert "Acquired: Not known" in words
        assert "Location" not in words
        assert "mm" not in words
        assert page.locator(".letter, .scale-bar").count() == 0
        drag(page, (30, 20), "middle")
        assert "translate(30px, 20px)" in (page.locator(".still").get_attribute("style") or "")


def test_three_planes_go_through_the_lesion_and_each_can_be_enlarged_by_key(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    with browsing.page(address(scans[1]["RAS"])) as page:
        page.wait_for_selector(SHOWN)
        page.keyboard.press("o")
        page.locator("[name=opacity]").fill("100")
        page.keyboard.press("p")
        settle(page)
        assert page.evaluate(COLLISIONS) == []
        quarters = quarters_of(seen(page))
        assert all(yellow(quarters[name])[2] > 100 for name in ("axial", "coronal", "sagittal"))
        assert np.asarray(quarters["render"].convert("L")).max() > 60
        place = corner(page, "Location")
        assert abs(at(place) - LESION).max() < 4
        x, y = middle(page)
        box = page.locator(".stage").bounding_box()
        assert box is not None
        page.mouse.click(x - box["width"] / 4, y - box["height"] / 4)  # the middle of the head
        settle(page)
        moved = at(corner(page, "Location"))
        assert abs(moved[:2]).max() < 6
        assert moved[2] == at(place)[2]
        names = []
        for _ in range(4):
            page.keyboard.press("v")
            settle(page)
            names.append(page.evaluate("document.querySelectorAll('.enlarge').length"))
        assert names == [1, 1, 1, 1]
        page.keyboard.press("ArrowUp")  # turns the head, which is shown alone now
        settle(page)
        page.get_by_role("button", name="Show all four views").click()
        settle(page)
        page.get_by_role("button", name="Enlarge the coronal view").click()
        settle(page)
        assert page.locator(".letter").all_inner_texts() == ["R", "L", "S", "I"]
        page.keyboard.press("p")
        settle(page)
        assert page.locator(".letter").all_inner_texts() == ["R", "L", "A", "P"]
        assert page.locator(".enlarge").count() == 0


def quarters_of(picture: Image.Image) -> dict[str, Image.Image]:
    """Of the stage in three planes."""
    half = picture.width // 2, picture.height // 2
    corners = {"axial": (0, 0), "sagittal": (1, 0), "coronal": (0, 1), "render": (1, 1)}
    return {
        name: picture.crop((x * half[0], y * half[1], (x + 1) * half[0], (y + 1) * half[1]))
        for name, (x, y) in corners.items()
    }


def at(words: str) -> np.ndarray:
    """The place that words tell, in RAS mm."""
    found = re.findall(r"([RLAPSI]) ([\d.]+)", words)
    return np.array([float(value) * (1 if side in "RAS" else -1) for side, value in found])


def test_who_wants_to_go_on_after_saving_is_led_on_and_this_is_remembered(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    with browsing.page(address(scans[1]["RAS"])) as page:
        page.wait_for_selector(SHOWN)
        box = page.get_by_label("Open the next unreviewed scan after saving")
        assert not box.is_checked()
        box.check()
        page.locator("h1").click()  # away from the box, whose keys are its own
        page.keyboard.press("a")
        page.keyboard.press("Enter")
        page.wait_for_url("**/?said=reviewed")  # of those that arrived lately there is no other
        page.goto(browsing.site.url + address(scans[1]["LPS"]))
        assert box.is_checked()
        browsing.site.enter(page, address(scans[1]["LPS"]), who="Ada")  # in the same browser
        page.wait_for_selector(SHOWN)
        assert not box.is_checked()


def test_from_the_login_to_a_saved_review_by_keys_alone(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    with browsing.page() as page:
        page.goto("about:blank")  # so that no open page asks without its session
        page.context.clear_cookies()
        token, place = browsing.site.link("Keys Only"), address(scans[1]["RAS"])
        page.goto(f"{browsing.site.url}/enter?token={token}&next={place}")
        for _ in range(20):
            if page.evaluate("document.activeElement.textContent.trim()") == "Log in":
                break
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector(SHOWN)
        page.keyboard.press("a")
        page.keyboard.press("Enter")
        page.wait_for_url("**saved=1*", timeout=120_000)
        assert "Keys Only" in page.locator(".review").inner_text()
