"""The worklist in a real browser: live rows in their place, keys, search, hostile names."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from daemon.index.database import open_records
from daemon.index.people.reviews import Decision, add_review
from tests.browser.chromium import Browsing, Site, chromium, served
from tests.viewer.worklist.names_of_the_world import IMG, LOW, NAMES, fail, fill, publish

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def site(small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running gliowatch over the filled index."""
    folder = tmp_path_factory.mktemp("worklist")
    (folder / "inbox").mkdir()
    (folder / "settings.toml").write_text(
        f'[daemon]\nreconcile_seconds = 1.0\n[model]\nweights = "{small_weights}"\n'
    )
    asyncio.run(fill(folder))
    with served(folder) as running:
        yield running


@pytest.fixture(scope="module")
def browsing(site: Site) -> Iterator[Browsing]:
    """A browser on it."""
    with chromium() as browser:
        yield Browsing(browser, site)


def meanwhile(work: Coroutine[Any, Any, None]) -> None:
    """Do something beside the browser, whose own loop runs in this thread."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def row_ids(page: Page) -> list[str]:
    """The rows in their order."""
    return [str(row.get_attribute("id")) for row in page.locator("#worklist tbody tr").all()]


def in_focus(page: Page) -> str:
    """The row that holds the focus."""
    return str(page.evaluate("document.activeElement.closest('tr')?.id"))


def wait_for_focus(page: Page, row: str) -> None:
    """The browser gives the focus back a moment after it has hidden a dialog."""
    page.wait_for_function("id => document.activeElement.closest('tr')?.id === id", arg=row)


def test_names_of_the_world_are_text_in_light_and_dark(browsing: Browsing) -> None:
    for scheme in ("light", "dark"):
        with browsing.page("/", scheme) as page:
            assert page.locator("#worklist tbody tr").count() == 5
            for name in NAMES.values():
                assert page.get_by_role("link", name=name, exact=True).count() == 1
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert page.locator("tr.failed").inner_text().count("ends in the middle") == 1
            assert page.locator("tr", has_text=IMG).locator("img").count() == 0
            thumb = page.locator(".thumb img").first
            width = thumb.evaluate("async (i) => { await i.decode(); return i.naturalWidth; }")
            assert width == 96


def test_rows_change_in_place_and_new_ones_are_told_above(browsing: Browsing, site: Site) -> None:
    with browsing.page("/") as page:
        before = row_ids(page)
        page.locator("tr", has_text=NAMES["ARABIC"]).locator("a.open").focus()
        meanwhile(_review(site.folder))
        row = page.locator("tr", has_text=NAMES["ARABIC"])
        expect(row).to_contain_text("Accepted: Dr Ada", timeout=60_000)
        assert in_focus(page) == row.get_attribute("id")
        meanwhile(publish(site.folder, "ARABIC", "a2", quality=[LOW]))
        expect(page.locator(".news")).to_contain_text("1 new or changed scan:", timeout=60_000)
        assert row_ids(page) == before
        assert in_focus(page) == row.get_attribute("id")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("#worklist tbody tr")).to_have_count(6)


async def _review(folder: Path) -> None:
    async with open_records(folder / "records.sqlite") as records:
        await add_review(records, "a1", 1, Decision.ACCEPTED, "", "Dr Ada")


def test_it_works_by_keys_alone(browsing: Browsing) -> None:
    with browsing.page("/") as page:
        ids = row_ids(page)
        for key, place in (("j", 0), ("j", 1), ("k", 0), ("k", 0), ("j", 1)):
            page.keyboard.press(key)
            assert in_focus(page) == ids[place]
        page.keyboard.press("?")
        dialog = page.get_by_role("dialog")
        for words in ("Next row", "Search by name", "Next unreviewed scan", "Enter"):
            expect(dialog).to_contain_text(words)
        browsing.check(page)
        page.keyboard.press("j")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        wait_for_focus(page, ids[1])
        page.keyboard.press("/")
        page.keyboard.type("jn?小龙")
        assert page.get_by_role("searchbox").input_value() == "jn?小龙"
        page.get_by_role("searchbox").fill("小龙")
        page.keyboard.press("Enter")
        expect(page.locator("#worklist tbody tr")).to_have_count(1)
        assert "%" not in page.url
        expect(page.locator("#show-keys")).to_be_visible()  # the new page hears its keys
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/scans/c1")


def test_a_row_that_changes_below_the_dialog_of_keys_has_the_focus_afterwards(
    browsing: Browsing,
) -> None:
    with browsing.page("/") as page:
        page.keyboard.press("j")
        row = in_focus(page)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.locator(f"#{row}").evaluate("row => { row.outerHTML = row.outerHTML; }")
        page.keyboard.press("Escape")
        wait_for_focus(page, row)


def test_filters_and_order_stand_in_the_address(browsing: Browsing) -> None:
    with browsing.page("/") as page:
        page.locator("[name=side]").select_option("left")
        page.get_by_role("button", name="Filter").click()
        page.wait_for_url("**/?side=left")
        page.get_by_role("link", name="Volume").click()
        page.wait_for_url("**/?side=left&sort=volume&dir=desc")
        assert page.locator("th[aria-sort=descending]").inner_text().startswith("Volume")
        assert page.locator("#worklist tbody tr").count() == 1
        page.locator("details summary").first.click()
        browsing.check(page)
        page.goto(page.url.replace("left", "midline"))
        assert "There is nothing in this list" in page.inner_text("main")


def test_without_javascript_the_list_is_whole(browsing: Browsing) -> None:
    opened = browsing.browser.new_context(java_script_enabled=False)
    page = opened.new_page()
    browsing.site.enter(page)
    assert page.locator("#worklist tbody tr").count() >= 5
    page.get_by_role("link", name="Reload").click()
    assert page.locator("#worklist tbody tr").count() >= 5
    opened.close()


def test_a_lost_line_is_said_and_holds_up_no_end(browsing: Browsing, site: Site) -> None:
    """The last test of this file: it ends the site."""
    with browsing.page("/") as page:
        with page.expect_response("**/worklist/rows*"):  # so it is live
            meanwhile(fail(site.folder, "LAST", "last.nii"))
        site.process.send_signal(signal.SIGTERM)
        site.process.wait(timeout=120)
        expect(page.locator("#live")).to_have_text("Not live: trying again", timeout=60_000)
        page.wait_for_event("console")  # the browser's own word on the next try
        browsing.expect("ERR_")
