"""Login and logout by a real provider of OpenID Connect, at another site, in a real browser."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import _free_port, _wait_for, chromium, served
from tests.conftest import ROOT
from tests.programs import program

pytestmark = pytest.mark.long
ADA: dict[str, object] = {
    "sub": "248289",
    "preferred_username": "ada",
    "name": "Dr. Ada Lovelace",
    "groups": ["mri"],
}
EVE: dict[str, object] = {"sub": "666", "preferred_username": "eve", "groups": ["cleaning"]}
TABLE = """
[[login.oidc]]
name = "clinic"
label = "the clinic"
issuer = "http://127.0.0.1:PORT"
client_id = "gliowatch"
secret_variable = "CLINIC_SECRET"
reviewers = ["mri"]
"""


@contextmanager
def real_provider(*people: dict[str, object]) -> Iterator[int]:
    """oidc-provider-mock as a program of its own; its port."""
    port = _free_port()
    words = [program("oidc-provider-mock"), "--port", str(port), "--require-nonce", "true"]
    claims = [word for each in people for word in ("--user-claims", json.dumps(each))]
    process = subprocess.Popen(
        [*words, *claims], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/.well-known/openid-configuration")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=60)


def log_in(page: Page, site: str, who: dict[str, object]) -> None:
    page.goto(f"{site}/patients")
    page.get_by_role("button", name="Log in with the clinic").click()
    page.wait_for_url("**/oauth2/authorize**")
    page.get_by_role("button", name=str(who["sub"])).click()


def test_people_come_and_go_by_the_clinics_login(tmp_path: Path) -> None:
    with real_provider(ADA, EVE) as port, chromium() as browser:
        settings = (ROOT / "settings.toml").read_text() + TABLE.replace("PORT", str(port))
        (tmp_path / "settings.toml").write_text(settings)
        (tmp_path / "inbox").mkdir()
        with served(tmp_path, CLINIC_SECRET="a secret of tests") as site:
            here = site.url.replace("127.0.0.1", "localhost")  # another site than the provider
            page = browser.new_page()
            log_in(page, here, ADA)
            page.wait_for_url(f"{here}/patients")
            expect(page.get_by_role("link", name="Dr. Ada Lovelace")).to_be_visible()
            page.goto(f"{here}/account")
            expect(page.get_by_text("ada (clinic)")).to_be_visible()
            page.get_by_role("button", name="Log out", exact=True).click()
            page.wait_for_url("**/oauth2/end_session**")
            page.goto(f"{here}/")
            expect(page.get_by_label("Password")).to_be_visible()
            log_in(page, here, EVE)
            expect(page.get_by_role("alert")).to_contain_text("have no role here")
