"""A mask corrected in a real browser: drawn, measured, kept through reloads and logins, saved."""

import base64
import re
import sqlite3
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect
from scipy import ndimage

from daemon.report import Report, read_report
from model.measurement.findings import number_lesions
from tests.browser.chromium import Browsing
from tests.browser.test_scan import SHOWN, WITHOUT_WEBGL, address, seen, yellow
from tests.daemon.pipeline.published import Given
from tests.phantoms.heads import HEAD_SHAPE, places

pytestmark = pytest.mark.long

MEASURED = """() => {
  const part = document.querySelector(".drawing");
  const { count } = part.querySelector(".voxels").dataset;
  return count !== undefined && part.dataset.measured === count;
}"""
TALL = HEAD_SHAPE[1] * 4.0  # mm that the picture is high; it fills the stage
SLICE, WIDTH = 11, 20  # from 1; mm
PLACE = (-34.0, -22.0)  # mm to the right and to the front: no voxel lies on the brush's edge


def begin(page: Page) -> None:
    """Start to draw; the mask as it is was measured."""
    page.wait_for_selector(SHOWN)
    page.keyboard.press("e")
    page.wait_for_function(MEASURED, timeout=60_000)


def count(page: Page) -> int:
    told = page.locator(".voxels").get_attribute("data-count")
    assert told is not None
    return int(told)


def point(page: Page, right: float, front: float) -> tuple[float, float]:
    """Where a place on a slice lies on the page: the patient's right is on the left."""
    box = page.locator(".glass").bounding_box()
    assert box is not None
    pixels = box["height"] / TALL
    return box["x"] + box["width"] / 2 - right * pixels, box["y"] + box[
        "height"
    ] / 2 - front * pixels


def draw(page: Page, *way: tuple[float, float]) -> float:
    """One stroke along places in mm; seconds until it was measured."""
    page.mouse.move(*point(page, *way[0]))
    page.mouse.down()
    for place in way[1:]:
        page.mouse.move(*point(page, *place), steps=4)
    page.mouse.up()
    began = time.monotonic()
    page.wait_for_function(MEASURED, timeout=60_000)
    return time.monotonic() - began


def disc(affine: NDArray[np.float64], shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """What one dab of the brush marks."""
    mm = places(shape, affine)
    away = np.hypot(mm[..., 0] - PLACE[0], mm[..., 1] - PLACE[1])
    assert np.abs(away - WIDTH / 2).min() > 0.3
    up = (SLICE - 1 - (HEAD_SHAPE[2] - 1) / 2) * 5.0
    marked: NDArray[np.bool_] = (away <= WIDTH / 2) & (np.abs(mm[..., 2] - up) < 0.1)
    return marked


def revision(folder: Path, given: Given, number: int) -> tuple[Report, nib.Nifti1Image]:
    """A published revision: its report and its mask."""
    place = folder / "outbox" / given.patient / f"{given.scan_id}-r{number}"
    report = read_report((place / f"{given.scan_id}_report.json").read_bytes())
    return report, nib.Nifti1Image.from_filename(place / f"{given.scan_id}_seg.nii.gz")


@pytest.mark.parametrize("name", ["RAS", "LPS", "PIR"])
def test_a_drawn_phantom_measures_its_own_voxel_sum_however_the_scan_is_stored(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]], name: str
) -> None:
    folder, given = scans[0], scans[1][name]
    before = int(given.mask.sum())
    with browsing.page(address(given)) as page:
        begin(page)
        assert count(page) == before
        page.locator("input.slice").fill(str(SLICE))
        page.locator("[name=width]").fill(str(WIDTH))
        plain = yellow(seen(page))[2]
        seconds = draw(page, PLACE)
        sys.stdout.write(f"{name}: measured {seconds:.2f} s after the stroke\n")
        assert yellow(seen(page))[2] > plain
        told = page.locator(".measured").inner_text()
        assert "Lesion 2:" in told
        page.locator(".save [name=comment]").fill("a second one")
        with page.expect_navigation():
            page.get_by_role("button", name="Save as new revision").click()
        expect(page.locator("#corrections")).to_contain_text("Saved as revision 2", timeout=300_000)
        expect(page.get_by_role("button", name="Correct the mask")).to_be_visible()  # no draft
    report, saved = revision(folder, given, 2)
    mask = np.asarray(saved.dataobj) > 0
    shape = (mask.shape[0], mask.shape[1], mask.shape[2])
    drawn = disc(saved.affine, shape)
    assert (mask == ((given.mask > 0) | drawn)).all()
    assert report.volume_voxels == mask.sum() == before + drawn.sum()
    assert report.mask is not None
    assert report.mask.by == "N. Urse"
    second = report.lesions[1]
    assert f"Lesion 2: {second.volume_ml:.2f} ml, " in told
    assert f"{second.longest_diameter_mm:.0f} × {second.perpendicular_diameter_mm:.0f} mm" in told


def test_a_draft_outlives_its_page_and_each_stroke_can_be_undone(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    given = scans[1]["whole numbers"]
    before = int(given.mask.sum())
    with browsing.page(address(given)) as page:
        begin(page)
        draw(page, PLACE, (PLACE[0] + 30, PLACE[1]))
        longer = count(page)
        assert longer > before
        page.keyboard.press("x")
        draw(page, PLACE)
        assert before < count(page) < longer
        page.keyboard.press("Control+z")
        page.wait_for_function(MEASURED)
        assert count(page) == longer
        page.reload()
        page.wait_for_selector(SHOWN)
        assert "You have a draft of this mask" in page.locator(".own").inner_text()
        begin(page)
        assert count(page) == longer
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Discard the draft").click()
        expect(page.get_by_role("button", name="Correct the mask")).to_be_visible()
        page.reload()
        begin(page)
        assert count(page) == before


def test_the_second_person_is_told_who_draws(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    way = address(scans[1]["oblique"])
    with browsing.page(way) as first, browsing.page(way, who="B. Oss") as second:
        second.wait_for_selector(SHOWN)
        assert second.locator(".others").inner_text() == ""
        begin(first)
        begin(second)
        assert re.match(
            r"N\. Urse has been drawing .* since 20", second.locator(".others").inner_text()
        )
        draw(first, PLACE)
        assert first.locator(".others").inner_text().startswith("B. Oss has been drawing")
        second.get_by_role("button", name="Close, keep").click()  # nothing was drawn: none is kept
        expect(second.get_by_role("button", name="Correct the mask")).to_be_visible()
        draw(first, PLACE, (0, 0))
        assert first.locator(".others").inner_text() == ""


def test_what_is_drawn_when_the_session_ends_is_kept_after_the_next_login(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    records = scans[0] / "records.sqlite"
    with browsing.page(address(scans[1]["earlier"])) as page:
        begin(page)
        with sqlite3.connect(records) as opened:
            opened.execute("DELETE FROM login_sessions")
        page.mouse.move(*point(page, *PLACE))
        page.mouse.down()
        page.mouse.up()
        expect(page.locator(".drawing .fault")).to_contain_text("Your session has ended")
        drawn = count(page)
        beside = page.context.new_page()
        browsing.site.enter(beside, "/", "B. Oss")
        expect(page.locator(".drawing .fault")).to_contain_text("Somebody else", timeout=60_000)
        beside.get_by_role("button", name="Log out").click()
        browsing.site.enter(beside)
        beside.close()
        expect(page.locator(".drawing .fault")).to_be_hidden(timeout=60_000)
        page.wait_for_function(MEASURED)
        page.reload()
        begin(page)
        assert count(page) == drawn
        browsing.expect("status of 40")


def test_without_webgl2_a_mask_is_uploaded(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    with browsing.page("/patients") as page:
        page.add_init_script(WITHOUT_WEBGL)
        page.goto(browsing.site.url + address(scans[1]["micron"]))
        page.wait_for_selector(SHOWN)
        expect(page.get_by_text("Upload corrected segmentation")).to_be_visible()
        assert page.locator(".drawing").count() == 0


TOOLS = """async ([base, dims, spacing, axis, lesion]) => {
  const { Mask } = await import("/static/drawing/mask.js");
  const brush = await import("/static/drawing/brush.js");
  const places = Int32Array.from({ length: dims[0] * dims[1] * dims[2] }, (_, at) => at);
  const begun = Uint8Array.from(atob(base), (each) => each.charCodeAt(0));
  const told = {};
  for (const name of ["none", "grow", "shrink", "fillBetween"]) {
    const mask = new Mask(dims, spacing, axis);
    mask.load(begun, places);
    mask.lesion = lesion;
    mask.begin();
    if (name !== "none") brush[name](mask);
    mask.end();
    const bytes = name === "none" ? mask.labels : mask.marks(places);
    told[name] = btoa(String.fromCharCode(...bytes));
    mask.undo();
    if (mask.marks(places).some((each, at) => each !== begun[at])) told.wrong = name;
  }
  return told;
}"""


def test_lesions_are_numbered_as_in_a_report_and_each_tool_does_what_it_says(
    browsing: Browsing,
) -> None:
    shape, spacing, axis = (14, 9, 12), (1.0, 2.0, 3.0), 1
    mask = np.zeros(shape, np.uint8)
    mask[2:5, 2, 2:6] = mask[3:7, 6, 3:7] = 1  # a gap of three slices between
    mask[11:13, 4:6, 9:11] = 1
    numbered = number_lesions(mask, np.diag([*spacing, 1.0]))
    edges = ndimage.generate_binary_structure(3, 1)
    edges[:, [0, 2]] = False  # within the slices
    with browsing.page("/patients") as page:

        def ask(lesion: int) -> dict[str, NDArray[np.uint8]]:
            base = base64.b64encode(mask.tobytes(order="F")).decode()
            told = page.evaluate(TOOLS, [base, list(shape), list(spacing), axis, lesion])
            assert "wrong" not in told, "undone, it is as it was"
            return {
                name: np.frombuffer(base64.b64decode(each), np.uint8).reshape(shape, order="F")
                for name, each in told.items()
            }

        every, second = ask(0), ask(2)
    assert (every["none"] == numbered).all()
    assert (every["grow"] == ndimage.binary_dilation(mask, edges)).all()
    assert (every["shrink"] == ndimage.binary_erosion(mask, edges, border_value=1)).all()
    own = numbered == 2
    assert (second["grow"] == (mask | ndimage.binary_dilation(own, edges))).all()
    assert (second["shrink"] == (mask & ~own | ndimage.binary_erosion(own, edges))).all()
    filled = every["fillBetween"]
    assert (filled >= mask).all()
    areas = filled.sum((0, 2))
    assert (areas[3:6] > 0).all()
    assert areas[1] == areas[7] == 0
    assert filled[3:5, 4, 3:6].all()  # what both ends have in common
    assert not filled[[2, 6], 4].any()  # half way, each end's own edge is gone


def test_both_diameters_are_drawn_where_they_were_measured(
    browsing: Browsing, scans: tuple[Path, dict[str, Given]]
) -> None:
    given = scans[1]["later"]
    place = scans[0] / "outbox" / given.patient / given.scan_id
    report = read_report((place / f"{given.scan_id}_report.json").read_bytes())
    lesion = report.lesions[0]
    with browsing.page(address(given)) as page:
        page.wait_for_selector(SHOWN)
        page.locator("input.slice").fill("2")
        page.keyboard.press("d")
        lines = page.locator(".diameter-lines g path:not(.around)")
        expect(lines).to_have_count(2)
        assert lesion.diameter_slice is not None
        assert (
            page.locator(".where")
            .first.inner_text()
            .startswith(f"Slice {lesion.diameter_slice + 1} ")
        )
        box = page.locator(".glass").bounding_box()
        assert box is not None
        pixels = box["height"] / TALL
        ways = lines.evaluate_all("paths => paths.map(path => path.getAttribute('d'))")
        ends = (lesion.longest_diameter_ends_ras_mm, lesion.perpendicular_diameter_ends_ras_mm)
        for way, expected in zip(ways, ends, strict=True):
            assert expected is not None
            found = re.match(r"M([\d.]+),([\d.]+)L([\d.]+),([\d.]+)", way)
            assert found is not None, way
            x1, y1, x2, y2 = map(float, found.groups())
            for (x, y), mm in zip(((x1, y1), (x2, y2)), expected, strict=True):
                right, front = (box["width"] / 2 - x) / pixels, (box["height"] / 2 - y) / pixels
                assert (right, front) == pytest.approx(mm[:2], abs=0.5)
        words = page.locator(".diameter-lines text").inner_html()
        assert (
            words == f"{lesion.longest_diameter_mm:.0f} × {lesion.perpendicular_diameter_mm:.0f} mm"
        )
        page.keyboard.press("ArrowUp")
        expect(lines).to_have_count(0)
        page.keyboard.press("ArrowDown")
        expect(lines).to_have_count(2)
        page.keyboard.press("d")
        expect(lines).to_have_count(0)
