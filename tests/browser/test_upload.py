"""Uploads in a real browser: dropped, told what they are, sent, followed until they are done."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.chromium import Browsing, chromium, copy_hospital, served
from tests.conftest import FRONTAL, SAMPLES

pytestmark = pytest.mark.long

HOSTILE = "<img src=x onerror=alert(1)> \u0645\u0631\u062d\u0628\u0627 \u6f22\u5b57"
DROP = """([name, size]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(size)], name));
  const event = (kind) => new DragEvent(kind, { dataTransfer: data, bubbles: true });
  document.getElementById("drop").dispatchEvent(event("dragover"));
  document.getElementById("drop").dispatchEvent(event("drop"));
}"""


@pytest.fixture(scope="module")
def browsing(
    analyzed_samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browsing]:
    """A browser on the analyzed samples, whose daemon finds nothing but samples to analyze."""
    folder = copy_hospital(analyzed_samples, tmp_path_factory.mktemp("site") / "hospital")
    quick = {"REST_SECONDS": "0.5", "RECONCILE_SECONDS": "2"}
    environment = {f"GLIOWATCH_DAEMON__{name}": value for name, value in quick.items()}
    with (
        chromium() as browser,
        served(folder, **environment, GLIOWATCH_VIEWER__MAX_UPLOAD_MB="40") as site,
    ):
        yield Browsing(browser, site)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of DICOM files, a hostile name among others, and hidden files beside them."""
    shutil.copytree(SAMPLES / "from-the-pacs", tmp_path / "CD" / "pacs")
    (tmp_path / "CD" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / f"{HOSTILE}.nii.gz").write_bytes(FRONTAL.read_bytes()[:3000])
    return tmp_path


def test_a_folder_and_files_are_told_apart_sent_and_followed(
    browsing: Browsing, folder: Path
) -> None:
    with browsing.page("/upload", "dark") as page:
        page.set_input_files("#folder", str(folder / "CD"))
        expect(page.locator(".card")).to_have_count(1, timeout=90_000)
        picture = SAMPLES / "a-picture" / "TCGA_DU_5851_slice_19.png"
        page.set_input_files("#files", [str(folder / f"{HOSTILE}.nii.gz"), str(picture)])
        expect(page.locator(".card")).to_have_count(3, timeout=90_000)
        expect(page.locator(".items li").first).to_contain_text("files arrived")
        expect(page.locator(".card", has_text=HOSTILE)).to_contain_text("Not readable")
        study = page.locator(".card", has_text="MR, FLAIR")
        expect(study).to_contain_text("26 slices")
        picture_card = page.locator(".card", has_text="No scale")
        picture_card.get_by_label("Pixel spacing, row").fill("0.9")
        picture_card.get_by_label("Pixel spacing, column").fill("0.9")
        choice = page.locator("select[name=patient]")
        choice.select_option("new")
        expect(page.get_by_label("Patient ID")).to_be_visible()
        browsing.check(page)
        known = page.locator("option", has_text="from-the-pacs").get_attribute("value")
        choice.select_option(known)  # the study is there already: a duplicate, and soon told
        expect(page.get_by_label("Patient ID")).to_have_count(0)
        page.get_by_role("button", name="Send to the inbox").click()
        rows = page.locator("#sent tbody tr")
        expect(rows).to_have_count(2, timeout=90_000)
        for state in ("duplicate", "done"):
            expect(page.locator(f"#sent .state.{state}")).to_have_count(1, timeout=90_000)
        rows.filter(has_text="slice_19").locator("td a").last.click()
        expect(page.locator("h1")).to_contain_text("mm")
        assert "0.90 × 0.90 mm, entered manually" in page.inner_text("main")


def test_a_broken_file_can_be_tried_again_and_all_be_given_up(browsing: Browsing) -> None:
    with browsing.page("/upload") as page:
        page.route("**/files", lambda route: route.abort())
        page.evaluate(DROP, ["scan.nii", 4000])
        expect(page.locator(".items li")).to_contain_text("The connection was lost.")
        page.unroute("**/files")
        browsing.expect("ERR_FAILED")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".items li")).to_contain_text("Arrived")
        expect(page.locator(".card")).to_contain_text("Not readable", timeout=90_000)
        _too_much(page)
        page.get_by_role("button", name="Cancel everything").click()
        expect(page.locator("form.understood")).to_have_count(0)
        held = browsing.site.folder / "inbox" / ".uploading"
        assert list(held.iterdir()) == []


def test_without_scripts_the_plain_form_works(browsing: Browsing) -> None:
    with browsing.browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        browsing.site.enter(page, "/upload")
        expect(page.locator("#drop")).to_be_hidden()
        sent = FilePayload(name="scan.nii.gz", mimeType="", buffer=b"no scan")
        page.set_input_files("input[name=files]", sent)
        page.get_by_role("button", name="Upload").click()
        expect(page.locator(".message")).to_contain_text("1 file received")


def _too_much(page: Page) -> None:
    """More than the limit is refused before a byte of it is sent."""
    page.evaluate(DROP, ["huge.nii", 41_000_000])
    expect(page.locator("#trouble")).to_contain_text("more than one upload may hold")
