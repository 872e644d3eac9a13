"""Scans settled in a real browser, many at once; and what is typed is kept until it is saved."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from playwright.sync_api import Dialog, Locator, Page, expect

from daemon.index.database import open_records
from daemon.index.people.patients import add_patient
from tests.browser.chromium import Browsing, chromium, served
from tests.viewer.scans.test_anyway import REFUSED
from tests.viewer.worklist.names_of_the_world import fail, publish

pytestmark = pytest.mark.long

ANALYZED, REFUSED_SCANS = 30, 6
COMMENT = "Edge of the lesion is off at the ventricle"


async def fill(folder: Path) -> None:
    """A night's scans: some of them were refused by the input check, one file is broken."""
    (folder / "outbox").mkdir()
    async with open_records(folder / "records.sqlite") as records:
        for number in range(ANALYZED):
            await add_patient(records, f"P{number:02}", {"name": f"Example, Person {number}"})
    for number in range(REFUSED_SCANS):
        nothing: dict[str, Any] = {"finding": "not_judged", "volume_ml": None, "lesions": []}
        await publish(folder, f"Q{number:02}", f"{number:020x}", quality=REFUSED, **nothing)
    for number in range(ANALYZED):
        change = {"volume_percent": 3.0 * number, "volume_ml": number, "comparable": True}
        await publish(folder, f"P{number:02}", f"{number + 500:020x}", quality=[], change=change)
    await fail(folder, "B00", "broken.nii")


@pytest.fixture(scope="module")
def browsing(small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsing]:
    """A browser on that site."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "inbox").mkdir()
    (folder / "settings.toml").write_text(f'[model]\nweights = "{small_weights}"\n')
    asyncio.run(fill(folder))
    with served(folder) as site, chromium() as browser:
        yield Browsing(browser, site)


def settled_of(folder: Path) -> list[tuple[str, str]]:
    """Scan and reason of each statement, as they came."""
    with closing(connect(folder / "records.sqlite")) as records:
        return records.execute("SELECT scan_id, reason FROM settled_scans ORDER BY 1, 2").fetchall()


def chosen(page: Page) -> int:
    """How many rows are."""
    return page.locator("#worklist [name=scan]:checked").count()


def comment_of(page: Page) -> Locator:
    """Of the review; the tools to draw have one of their own."""
    return page.locator(".review-form textarea[name=comment]")


def kept_texts(page: Page) -> int:
    """How many forms' texts are kept in the tab; htmx keeps something of its own there."""
    found: int = page.evaluate(
        "() => Object.keys(sessionStorage).filter(key => key.startsWith('gliowatch:')).length"
    )
    return found


def end_sessions(folder: Path) -> None:
    """As if nobody had done anything for an hour."""
    with closing(connect(folder / "records.sqlite", timeout=30)) as records:
        records.execute("DELETE FROM login_sessions")
        records.commit()


def test_many_are_settled_by_keys_and_the_mouse(browsing: Browsing) -> None:
    folder = browsing.site.folder
    with browsing.page("/?state=review&arrived=all") as page:
        bulk = page.get_by_role("form", name="For the chosen scans")
        expect(bulk).to_be_hidden()
        page.keyboard.press("j")
        page.keyboard.press("x")
        page.keyboard.press("j")
        page.keyboard.press("x")
        expect(bulk).to_be_visible()
        expect(bulk).to_contain_text("Chosen: 2")
        page.get_by_label("Choose all rows").check()
        expect(bulk).to_contain_text(f"Chosen: {REFUSED_SCANS}")
        page.locator("#worklist [name=scan]").first.uncheck()
        assert chosen(page) == REFUSED_SCANS - 1
        bulk.get_by_label("Reason").select_option("no_flair")
        with page.expect_navigation():
            bulk.get_by_role("button", name="Settle").click()
        expect(page.get_by_text(f"{REFUSED_SCANS - 1} scans settled")).to_be_visible()
        assert page.locator("#worklist tbody tr").count() == 1
    assert [reason for _, reason in settled_of(folder)] == ["no_flair"] * (REFUSED_SCANS - 1)
    with browsing.page("/?state=settled&arrived=all") as page:
        page.get_by_label("Choose all rows").check()
        with page.expect_navigation():
            page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text(f"{REFUSED_SCANS - 1} scans need review again")).to_be_visible()


def test_a_label_is_heard_by_an_open_list_whose_columns_are_its_own(browsing: Browsing) -> None:
    address = "/?state=review&arrived=all"
    with browsing.page(address) as page, browsing.page(address, who="Someone Else") as other:
        other.locator("details.columns summary").click()
        labels = other.locator("details.columns li", has_text="Labels")
        for _ in range(8):
            labels.get_by_role("button").click()
        with other.expect_navigation():
            other.get_by_role("button", name="Save").last.click()
        names = other.locator("#worklist thead th").all_inner_texts()
        assert names.index("Labels") < names.index("Finding")
        page.keyboard.press("j")
        page.keyboard.press("x")
        bulk = page.get_by_role("form", name="For the chosen scans")
        bulk.get_by_label("Label", exact=True).fill("Tumor board")
        with page.expect_navigation():
            page.keyboard.press("Enter")  # not the form's first button, which settles
        expect(page.locator("#worklist .chip")).to_have_text("Tumor board")
        expect(other.locator("#worklist .chip")).to_have_text("Tumor board", timeout=60_000)
        names = page.locator("#worklist thead th").all_inner_texts()
        assert names.index("Labels") > names.index("Finding")


def test_twenty_rows_are_seen_at_once(browsing: Browsing) -> None:
    with browsing.page("/?arrived=all") as page:
        seen = page.evaluate(
            "() => [...document.querySelectorAll('#worklist tbody tr')].filter(row =>"
            " row.getBoundingClientRect().bottom <="
            " document.querySelector('.research').getBoundingClientRect().top).length"
        )
        assert seen >= 20
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440


def test_a_comment_outlives_the_session_and_is_saved_after_the_login(browsing: Browsing) -> None:
    scan = f"/scans/{500:020x}"
    with browsing.page(scan) as page:
        page.get_by_role("radio", name="Needs correction").check()
        comment_of(page).fill(COMMENT)
        end_sessions(browsing.site.folder)
        page.get_by_role("button", name="Save review").click()
        expect(page.get_by_text("is there again after the login")).to_be_visible()
        assert COMMENT not in page.content()  # who stands there now may be anybody
        assert page.locator("[name=next]").get_attribute("value") == scan
        browsing.site.enter(page, scan)
        expect(comment_of(page)).to_have_value(COMMENT)
        expect(page.get_by_role("radio", name="Needs correction")).to_be_checked()
        page.get_by_role("button", name="Save review").click()
        expect(page.get_by_text("Your review is saved.")).to_be_visible()
        expect(page.locator(".statements")).to_contain_text(COMMENT)
        expect(comment_of(page)).to_have_value("")
        assert kept_texts(page) == 0
        browsing.expect("401")


def test_another_person_does_not_find_it(browsing: Browsing) -> None:
    scan = f"/scans/{501:020x}"
    with browsing.page(scan) as page:
        comment_of(page).fill(COMMENT)
        page.on("dialog", lambda dialog: dialog.accept())
        browsing.site.enter(page, scan, who="Someone Else")
        expect(comment_of(page)).to_have_value("")
        assert kept_texts(page) == 0


def test_unsaved_text_is_asked_about_before_it_is_left(browsing: Browsing) -> None:
    scan = f"/scans/{502:020x}"
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    with browsing.page(scan) as page:
        page.get_by_role("link", name="Worklist").click()  # nothing is typed: nobody is asked
        page.wait_for_url("**/")
        page.goto(f"{browsing.site.url}{scan}")
        comment_of(page).fill(COMMENT)
        page.once("dialog", stay)
        page.get_by_role("link", name="Worklist").click(no_wait_after=True)
        page.wait_for_timeout(500)
        assert asked == ["beforeunload"]
        assert page.url.endswith(scan)
        expect(comment_of(page)).to_have_value(COMMENT)
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("link", name="Worklist").click()
        page.wait_for_url("**/")
        page.goto(f"{browsing.site.url}{scan}")
        expect(comment_of(page)).to_have_value(COMMENT)  # it was kept all the same
        page.get_by_role("button", name="Discard").click()
        expect(comment_of(page)).to_have_value("")
