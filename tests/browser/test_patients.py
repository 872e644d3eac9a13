"""Patients in a real browser: search, curve, two at once, delete and undo, a scan given away."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from daemon.index import queue
from tests.browser.chromium import Browsing, chromium, served
from tests.conftest import SHARED
from tests.phantoms.reports import INPUT
from tests.viewer.test_house import House, lesion, open_house
from viewer.sessions import INDEX

pytestmark = pytest.mark.long

ARABIC, CHINESE = "\u0645\u0631\u064a\u0645 \u062d\u062f\u0627\u062f", "\u738b\u5c0f\u4e1c"
LONG = "x" * 200  # the longest that is taken
IMAGE = "<img src=x onerror=alert(1)>"
STORY = [(None, None), ("2026-02-03T10:00:00", 18.2), ("2026-05-12T09:30:00", 21.4)]


async def seed(folder: Path) -> None:
    """Patients with names of all kinds; one of them with three scans; two scans of nobody."""
    picture = folder / "overlay.png"
    Image.new("L", (256, 256), 60).save(picture)
    files = {"overlay.png": picture.read_bytes(), "report.json": b"{}"}
    async with open_house(folder) as house:
        await house.add_patient(
            "P1",
            name="Ada Lovelace",
            birth_date="1960-02-29",
            diagnosis_date="2026-01-10",
            treatment_type="Radiotherapy",
            treatment_start="2026-02-20",
        )
        for number, name in enumerate((ARABIC, CHINESE, IMAGE, LONG, script_name())):
            await house.add_patient(f"H{number}", name=name)
        await house.add_patient("P9", birth_date="0001-01-01")
        for number in (0, 1):
            scan_id = f"nobody{number}"
            await house.add_scan("unassigned", scan_id, files, **told(None, 7.0))
            source = house.settings.daemon.outbox / "unassigned" / scan_id / "source"
            source.mkdir()
            (source / "a.nii.gz").write_bytes(b"dropped")
        for number, (at, ml) in enumerate(STORY):  # two with a date come last: they queue work
            await house.add_scan("P1", f"scan{number}", files, **told(at, ml))
        await wait_no_more(house)


def told(at: str | None, ml: float | None) -> dict[str, Any]:
    """What a report says of a scan at this moment, of this volume."""
    changed = {
        "prior_scan_id": "scan1",
        "volume_ml": 3.2,
        "volume_percent": 17.6,
        "prior_acquired_at": STORY[1][0],
        "repeat_range_ml": [15.0, 22.4],
        "beyond_repeat": False,
        "repeat_percent": 23.1,
    }
    place = lesion(side="left", lobes={"temporal": 80.0}, lobe_words="temporal 80 %")
    flat = {"longest_diameter_mm": None, "longest_diameter_px": 30, "perpendicular_diameter_px": 9}
    return {
        "input": INPUT | {"kind": "nifti" if ml else "image", "acquired_at": at},
        "volume_ml": ml,
        "volume_ml_range": [ml * 0.9, ml * 1.2] if ml else None,
        "area_px": 270,
        "lesions": [place | ({} if ml else flat)],
        "change": changed if ml == 21.4 else None,
        "quality": [],
    }


async def wait_no_more(house: House) -> None:
    """The daemon of these tests analyzes nothing."""
    await queue.pause(house.app[INDEX], True)


def script_name() -> str:
    """A script tag as an archive really sent it, else one of our own."""
    for file in sorted((SHARED / "dicom" / "orthanc_xss_header").rglob("*")):
        if file.is_file() and (found := re.search(rb"<script[^\0]*script>", file.read_bytes())):
            return found[0].decode("latin-1")
    return "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def browsing(small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsing]:
    folder = tmp_path_factory.mktemp("patients")
    asyncio.run(seed(folder))
    (folder / "settings.toml").write_text(
        f'[model]\nweights = "{small_weights}"\nleast_flair = 0\n'
    )
    with chromium() as browser, served(folder) as site:
        yield Browsing(browser, site)


def test_search_leads_to_the_patient_and_the_curve(browsing: Browsing) -> None:
    for scheme in ("light", "dark"):
        with browsing.page("/patients", scheme) as page:
            page.get_by_label("Name or ID").fill("LOVELACE")
            page.get_by_role("button", name="Search").press("Enter")
            expect(page.get_by_text("1 patient found")).to_be_visible()
            assert "lovelace" not in page.url.lower()
            page.get_by_role("link", name="Ada Lovelace").click()
            expect(page.locator(".glance")).to_contain_text("3 scans, last 2026-05-12, 21.4 ml")
            expect(page.locator(".glance")).to_contain_text(
                "▲ 18 % larger since 2026-02-03: within what repeated measuring varies (23 %)"
            )
            expect(page.locator("#growth-chart canvas")).to_be_visible()
            assert drawn(page) > 500  # pixels: lines, ranges and words
            rows = page.locator("#growth-table tbody tr")
            expect(rows).to_have_count(4)
            expect(rows.first).to_contain_text("Diagnosis")
            page.locator("summary", has_text="Diagnosis and treatment").press("Enter")
            expect(page.get_by_role("definition").filter(has_text="Radio")).to_be_visible()
            page.set_viewport_size({"width": 1440, "height": 500})
            page.mouse.wheel(0, 900)
            expect(page.locator(".identity")).to_be_in_viewport()
            link = page.get_by_role("link", name="Compare with previous").get_attribute("href")
            assert link is not None
            assert link.endswith("/compare?a=scan1&b=scan2")


def drawn(page: Page) -> int:
    """How many pixels of the chart are not empty."""
    counted = page.evaluate(
        "() => { const c = document.querySelector('#growth-chart canvas');"
        " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " return d.filter((v, n) => n % 4 === 3 && v > 0).length; }"
    )
    return int(counted)


def test_names_of_all_kinds_are_text_on_every_page(browsing: Browsing) -> None:
    with browsing.page("/patients") as page:
        page.on("dialog", lambda dialog: browsing.wrongs.append(f"alert: {dialog.message}"))
        for number, name in enumerate((ARABIC, CHINESE, IMAGE, LONG, script_name())):
            page.goto(f"{browsing.site.url}/patients")
            page.locator("tr", has=page.get_by_text(f"H{number}", exact=True)).locator("a").click()
            expect(page.locator("h1")).to_have_text(name)
            bar = page.locator(".identity")
            expect(bar).to_contain_text(name)
            expect(bar.locator("a")).to_have_attribute("title", name)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.get_by_role("button", name="Edit").click()
            expect(page.get_by_label("Name", exact=True)).to_have_value(name)
        page.goto(f"{browsing.site.url}/patients")
        page.get_by_role("link", name="No name entered").click()
        expect(page.locator(".identity")).to_contain_text("Born 0001-01-01")


def test_two_at_once_a_delete_with_undo_and_a_photo(browsing: Browsing) -> None:
    with browsing.page("/patients") as page, browsing.page("/patients") as other:
        for each in (page, other):
            each.get_by_role("link", name="Ada Lovelace").click()
            each.get_by_role("button", name="Edit").click()
        other.get_by_label("Phone").fill("555")
        page.get_by_label("Attending physician").fill("Dr. Who")
        for each in (other, page):
            each.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("Phone was \u201cempty\u201d")
        browsing.expect("409")
        expect(page.get_by_label("Phone")).to_have_value("555")
        page.get_by_role("button", name="Save").click()
        home = page.url
        page.get_by_role("button", name="Delete").click()
        page.get_by_label("Type the ID of the patient").fill("P1")
        page.get_by_role("button", name="Delete").click()
        other.goto(home)
        expect(
            other.get_by_text("This patient was deleted. The deletion can be undone")
        ).to_be_visible()
        browsing.expect("410")
        expect(page.get_by_text("Ada Lovelace")).to_be_visible()
        browsing.check(page)
        page.get_by_role("button", name="Undo").click()
        page.locator("summary", has_text="History of changes").click()
        expect(page.get_by_role("region", name="History of changes")).to_contain_text("Dr. Who")
        page.get_by_role("button", name="Photo").click()
        picture = browsing.site.folder / "overlay.png"
        page.get_by_label("PNG or JPEG file").set_input_files(picture)
        page.get_by_role("button", name="Save photo").click()
        shown = page.get_by_alt_text("Photo of the patient")
        assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 256


def test_a_scan_of_nobody_is_given_and_taken_back(browsing: Browsing) -> None:
    with browsing.page("/patients/unassigned") as page:
        expect(page.get_by_role("button", name="Assign to patient")).to_have_count(2)
        card = page.locator("article").first
        card.get_by_label("Patient ID").fill("P9")
        card.get_by_role("button", name="Assign to patient").click()
        expect(page.get_by_role("button", name="Assign to patient")).to_have_count(1)
        assert len(list((browsing.site.folder / "inbox" / "P9").glob("given-*/a.nii.gz"))) == 1
        expect(page.get_by_text("Waiting to be analyzed under this patient")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("button", name="Assign to patient")).to_have_count(2)
        expect(page.get_by_text("Undone 2")).to_be_visible()
