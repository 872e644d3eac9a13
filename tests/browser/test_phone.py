"""All pages on a phone: nothing is wider than the window, and what is tapped is large enough."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Browsing, chromium, served
from tests.daemon.pipeline.published import Given
from tests.viewer.worklist.names_of_the_world import fail

pytestmark = pytest.mark.long

PHONE, TABLET = {"width": 390, "height": 844}, {"width": 820, "height": 1180}
NAVIGATION = ("/", "/patients", "/upload", "/system", "/agreement", "/accounts", "/audit")
OTHERS = ("/account", "/patients/unassigned", "/patients/deleted", "/patients/new")
LEAST_TAP = 40  # px; of what stands in no sentence
SMALL = """least =>
    [...document.querySelectorAll('main button, main select, main [role=button], .bar button,'
        + 'main input:not([type=checkbox], [type=radio], [type=range], [type=hidden])')]
    .filter(each => each.checkVisibility({visibilityProperty: true})
        && !each.closest('.views, .tools, .drawing, .hidden'))
    .filter(each => each.getBoundingClientRect().height < least)
    .map(each => each.outerHTML.slice(0, 120))
"""
WIDE = """
    [...document.querySelectorAll('main *')]
    .filter(each => each.checkVisibility() && each.getBoundingClientRect().right > innerWidth + 1)
    .map(each => each.outerHTML.slice(0, 120)).slice(0, 5)
"""


@pytest.fixture(scope="module")
def browsing(scans: tuple[Path, dict[str, Given]]) -> Iterator[Browsing]:
    """A browser on a hospital of phantoms, where one file was broken."""
    folder = scans[0]
    asyncio.run(fail(folder, "B00", "broken.nii"))
    with chromium() as browser, served(folder) as site:
        yield Browsing(browser, site)


def check_fits(page: Page, path: str) -> None:
    """Neither the page nor anything that is shown of it is wider than the window."""
    page.wait_for_load_state()
    wide = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0, f"{path} is {wide} px too wide: {page.evaluate(WIDE)}"


def links(page: Page, start: str) -> list[str]:
    """Where the links of a page lead that begin so, each once."""
    found = page.evaluate(
        "start => [...new Set([...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"
        ".filter(href => href && href.startsWith(start)))]",
        start,
    )
    return [str(each) for each in found]


def test_no_page_scrolls_sideways(browsing: Browsing) -> None:
    url = browsing.site.url
    with browsing.page("/?arrived=all", viewport=PHONE, has_touch=True) as page:
        patient = next(each for each in links(page, "/patients/") if each.count("/") == 2)
        scan, broken = links(page, "/scans/")[0], links(page, "/failed/")[0]
        expect(page.locator("#worklist tbody tr").first).to_be_visible()
        more = (patient, f"{patient}/edit", f"{patient}/delete", f"{patient}/photo", broken, scan)
        for path in (*NAVIGATION, *OTHERS, *more):
            page.goto(f"{url}{path}")
            check_fits(page, path)
            assert page.evaluate(SMALL, LEAST_TAP) == [], path
        browsing.check(page)
        page.set_viewport_size(TABLET)  # type: ignore[arg-type]
        for path in ("/?arrived=all", "/patients", scan, "/system"):
            page.goto(f"{url}{path}")
            check_fits(page, path)


def test_the_navigation_opens_and_a_row_is_a_card(browsing: Browsing) -> None:
    with browsing.page("/?arrived=all", viewport=PHONE, has_touch=True) as page:
        expect(page.get_by_role("link", name="Patients", exact=True)).to_be_hidden()
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("link", name="Patients", exact=True).click()
        page.wait_for_url("**/patients")
        cell = page.locator("table.patients tbody tr").first.locator("td").nth(4)
        assert cell.get_attribute("data-label") == "Scans"
        assert cell.evaluate("cell => getComputedStyle(cell, '::before').content") == '"Scans"'
