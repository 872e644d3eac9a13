"""A site of published phantoms and a browser on it, for the tests of the canvas."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Browsing, chromium, served
from tests.daemon.pipeline.published import Given
from tests.phantoms.stored_scans import make_hospital

expect.set_options(timeout=30_000)  # ms; other tests run beside


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Given]]:
    """A hospital of published phantoms."""
    folder = tmp_path_factory.mktemp("phantoms") / "hospital"
    return folder, make_hospital(folder)


@pytest.fixture(scope="module")
def browsing(scans: tuple[Path, dict[str, Given]]) -> Iterator[Browsing]:
    """A browser on it."""
    with chromium() as browser, served(scans[0]) as site:
        yield Browsing(browser, site)
