"""The demo's link in a real browser: every page opens, in light and dark, without a fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Browsing, chromium, copy_hospital, served

PAGES = ("/", "/patients", "/patients/new", "/upload")


@pytest.fixture(scope="module")
def browsing(
    analyzed_samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browsing]:
    """A browser on the analyzed samples."""
    folder = copy_hospital(analyzed_samples, tmp_path_factory.mktemp("site") / "hospital")
    with chromium() as browser, served(folder) as site:
        yield Browsing(browser, site)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_the_navigation_opens_without_a_fault(
    browsing: Browsing, scheme: str
) -> None:
    for path in PAGES:
        with browsing.page(path, scheme) as page:
            assert "Research use" in page.locator("footer").inner_text()


def test_a_scan_opens_from_the_worklist(browsing: Browsing) -> None:
    with browsing.page("/") as page:
        page.locator("td.thumb a").first.click()
        page.wait_for_url("**/scans/*")
        assert page.locator("img").count() >= 1
