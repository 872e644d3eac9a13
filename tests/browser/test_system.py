"""The system page in a real browser: it moves by itself, and its buttons do what they say."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Browsing, chromium, copy_hospital, served

pytestmark = pytest.mark.long


def test_the_queue_moves_and_obeys(
    analyzed_samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = copy_hospital(analyzed_samples, tmp_path_factory.mktemp("site") / "hospital")
    inbox = folder / "inbox"
    quick = {"REST_SECONDS": "0.5", "RECONCILE_SECONDS": "1"}
    environment = {f"GLIOWATCH_DAEMON__{name}": value for name, value in quick.items()}
    with chromium() as browser, served(folder, **environment) as site:
        browsing = Browsing(browser, site)
        with browsing.page("/system") as page:
            expect(page.locator(".glance")).to_contain_text("Running; queue empty; disk")
            page.get_by_role("button", name="Pause").click()
            expect(page.locator(".glance")).to_contain_text("Paused: no new scan is started")
            for name in ("Q1", "Q2"):
                (inbox / name).mkdir()
                (inbox / name / "scan.nii.gz").write_bytes(name.encode())
            queue = page.get_by_role("region", name="Queue").locator("tbody tr")
            expect(queue).to_have_count(2, timeout=60_000)  # by itself
            page.get_by_role("button", name="Move up: Q1").click()
            expect(queue.first).to_contain_text("Waiting, urgent")
            expect(queue.first).to_contain_text("Q1")
            page.get_by_role("button", name="Cancel: Q2").click()
            failed = page.get_by_role("region", name="Failed").locator("tbody tr")
            expect(failed).to_contain_text("It was cancelled.")
            browsing.check(page)
            page.get_by_role("button", name="Resume").click()
            expect(failed).to_have_count(2, timeout=60_000)
            expect(failed.filter(has_text="The file is not a NIfTI image")).to_have_count(1)
            page.get_by_role("button", name="Retry all").click()
            expect(page.locator(".message").first).to_contain_text("Queued for retry: 2.")
        with browsing.page("/system/months") as page:
            charts = page.get_by_role("region", name="Charts by month").get_by_role("img")
            expect(charts).to_have_count(5)
        with browsing.page("/system", "dark") as page:
            page.get_by_text("[viewer], ").click()
            expect(page.get_by_text("night_begins")).to_be_visible()
