"""How fast a scan is read: `python -m tests.scale.reading [--scans 20]`; prints a line of JSON.

A real viewer and Debian's Chromium, with WebGL in software, over published phantoms of 240 x 240
pixels. From the click on a row to the picture; slices drawn a second under the wheel; from the
brush's move to its voxel count and from the end of a stroke to volume and diameters; and a
reader who reviews so many scans, by keys alone and by mouse alone: strokes, clicks and seconds.
"""

import argparse
import asyncio
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from playwright.sync_api import Page

from daemon.index.database import now
from model.volume import Kind
from tests.browser.chromium import Browsing, chromium, served
from tests.conftest import ROOT
from tests.daemon.pipeline.published import Given, publish
from tests.phantoms.heads import Head, head, write_nifti

SHOWN = ".view[data-shown]"
THIN, THICK = (240, 240, 155), (240, 240, 30)  # voxels: a research protocol, a hospital's
STROKES = 8
WHEEL = """async ([milliseconds]) => {
  const stage = document.querySelector(".stage"), slice = document.querySelector("input.slice");
  const frame = () => new Promise(requestAnimationFrame);
  let [seen, way, last] = [0, 1, slice.value];
  const began = performance.now();
  while (performance.now() - began < milliseconds) {
    const notch = {deltaY: 100 * way, bubbles: true, cancelable: true};
    stage.dispatchEvent(new WheelEvent("wheel", notch));
    await frame();
    if (slice.value === last) way = -way; else seen += 1;
    last = slice.value;
  }
  return seen / (performance.now() - began) * 1000;
}"""
STILL = """() => {
  const still = document.querySelector("img.still");
  return still !== null && still.complete && still.naturalWidth > 0;
}"""
WATCH_BRUSH = """() => {
  const glass = document.querySelector(".glass"), told = document.querySelector(".voxels");
  window.brushed = [];
  let moved = 0;
  glass.addEventListener("pointermove", () => { moved = moved || performance.now(); }, true);
  new MutationObserver(() => {
    if (moved) window.brushed.push(performance.now() - moved);
    moved = 0;
  }).observe(told, {attributes: true, childList: true, subtree: true, characterData: true});
}"""
MEASURED = """() => {
  const part = document.querySelector(".drawing");
  const { count } = part.querySelector(".voxels").dataset;
  return count !== undefined && part.dataset.measured === count;
}"""


def main() -> None:
    """Measure all, on a hospital that is made for it."""
    parser = argparse.ArgumentParser(prog="python -m tests.scale.reading")
    parser.add_argument("--scans", type=int, default=20, help="to review, by keys and by mouse")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="reading-") as place:
        folder = Path(place) / "hospital"
        make_hospital(folder, options.scans)
        with chromium() as browser, served(folder) as site:
            print(json.dumps(measure(Browsing(browser, site), options.scans)), flush=True)


def make_hospital(folder: Path, scans: int) -> None:
    """One thin and one thick scan, and twice so many small ones to review, each of a patient."""
    (folder / "inbox").mkdir(parents=True)
    (folder / "dropped").mkdir()
    shutil.copy(ROOT / "settings.toml", folder)
    thin, thick = (
        head((38, 30, 12), radius=16, shape=shape, spacing=(1.0, 1.0, 155 / shape[2]))
        for shape in (THIN, THICK)
    )
    small = head((38, 30, 12), radius=16)
    given = [_given(folder, "thin", 1, thin), _given(folder, "thick", 2, thick)]
    given += [_given(folder, f"P{n:03d}", 10 + n, small) for n in range(2 * scans)]
    asyncio.run(publish(folder, given))


def _given(folder: Path, patient: str, number: int, of: Head) -> Given:
    file = write_nifti(folder / "dropped" / f"{patient}.nii.gz", of.voxels, of.affine)
    return Given(patient, number, file, Kind.NIFTI, of.lesion, published=now())


def measure(browsing: Browsing, scans: int) -> dict[str, float]:
    """All figures; times in seconds unless the name says ms."""
    figures = {}
    for patient in ("thick", "thin"):
        with browsing.page("/?arrived=all") as page:
            picture, canvas = _open(page, patient)
            figures[f"{patient}: click to picture"] = picture
            figures[f"{patient}: click to canvas"] = canvas
            figures[f"{patient}: slices a second"] = float(page.evaluate(WHEEL, [4000]))
            for name, taken in _draw(page).items():
                figures[f"{patient}: {name}"] = taken
    for name, review in (("keys", _review_by_keys), ("mouse", _review_by_mouse)):
        strokes, seconds = _review(browsing, scans, review)
        figures[f"{name}: strokes or clicks a scan"] = strokes / scans
        figures[f"{name}: seconds a scan"] = seconds / scans
    return {name: round(value, 3) for name, value in figures.items()}


def _open(page: Page, patient: str) -> tuple[float, float]:
    """Seconds from the click on a patient's row to its still picture, and to the drawn canvas."""
    link = page.locator("tr", has_text=patient).locator("a.open").first
    began = time.monotonic()
    link.click(no_wait_after=True)
    page.wait_for_function(STILL)
    picture = time.monotonic() - began
    page.wait_for_selector(SHOWN)
    return picture, time.monotonic() - began


def _draw(page: Page) -> dict[str, float]:
    """Strokes of the brush: what each took."""
    page.keyboard.press("e")
    page.wait_for_function(MEASURED, timeout=120_000)
    page.evaluate(WATCH_BRUSH)
    box = page.locator(".glass").bounding_box()
    assert box is not None
    x, y, took = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, []
    for number in range(STROKES):
        page.mouse.move(x - 60, y + 12 * number)
        page.mouse.down()
        page.mouse.move(x + 60, y + 12 * number, steps=12)
        page.mouse.up()
        began = time.monotonic()
        page.wait_for_function(MEASURED, timeout=120_000)
        took.append(time.monotonic() - began)
    counted = sorted(page.evaluate("window.brushed"))
    page.locator("[name=discard]").click()
    return {
        "ms from the brush to its count, median": median(counted),
        "ms from the brush to its count, at most": counted[-1],
        "stroke to volume, median": median(took),
        "stroke to volume, at most": max(took),
    }


def _review(browsing: Browsing, scans: int, review: Callable[[Page], int]) -> tuple[int, float]:
    """A reader accepts so many scans, each opened by the save before: strokes, and seconds."""
    with browsing.page("/?arrived=all&unreviewed=1") as page:
        page.locator("a.open").first.click()
        page.wait_for_selector(SHOWN)
        page.locator("[name=go_on]").check()
        page.locator("[name=go_on]").blur()
        began, strokes = time.monotonic(), 0
        for _ in range(scans):
            with page.expect_navigation():
                strokes += review(page)
            page.wait_for_selector(SHOWN)
        return strokes, time.monotonic() - began


def _review_by_keys(page: Page) -> int:
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    return 2


def _review_by_mouse(page: Page) -> int:
    page.get_by_role("radio", name="Accept").click()
    page.get_by_role("button", name="Save review").click()
    return 2


if __name__ == "__main__":
    main()
