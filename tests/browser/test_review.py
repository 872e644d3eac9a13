"""Reviews and corrected masks in a real browser: two people at once, a mask that is drawn anew."""

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from daemon.settings import load_settings
from tests.browser.chromium import Browsing, chromium, copy_hospital, served
from tests.conftest import reports

pytestmark = pytest.mark.long

PATIENT = "TCGA-FG-6692"
WITHIN = 180_000  # ms, for a mask to be measured


@pytest.fixture(scope="module")
def browsing(
    analyzed_samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browsing]:
    """A browser on the analyzed samples."""
    folder = copy_hospital(analyzed_samples, tmp_path_factory.mktemp("site") / "hospital")
    with chromium() as browser, served(folder) as site:
        yield Browsing(browser, site)


@pytest.fixture(scope="module")
def scan_id(browsing: Browsing) -> str:
    """A volume's scan."""
    settings = load_settings(browsing.site.folder / "settings.toml")
    return next(str(r["scan_id"]) for r in reports(settings) if r["patient_id"] == PATIENT)


def larger_mask(folder: Path, scan_id: str) -> Path:
    """The network's mask, moved a little, as a person might draw it."""
    (path,) = folder.glob(f"outbox/*/{scan_id}/*_seg.nii.gz")
    image = nib.Nifti1Image.from_filename(path)
    moved = np.roll(np.asarray(image.dataobj), 2, 0)
    nib.save(nib.Nifti1Image(moved, image.affine, image.header), folder / "drawn.nii.gz")
    return folder / "drawn.nii.gz"


def send(page: Page, file: Path) -> None:
    """Send a file as a corrected mask."""
    form = page.locator("form[enctype]")
    if not form.is_visible():
        page.get_by_text("Upload corrected segmentation").click()
    form.locator("[name=mask]").set_input_files(file)
    form.get_by_role("button", name="Upload mask").click()


def reject(page: Page) -> None:
    """Fill in the form and send it; the reason is asked for as soon as it is needed."""
    assert not page.locator("[name=reason]").is_visible()
    page.get_by_role("radio", name="Reject").check()
    page.get_by_label("Reason for rejection").select_option("border")
    page.locator(".review-form textarea[name=comment]").fill("<b>too wide</b>")
    page.get_by_role("button", name="Save review").click()


def test_a_scan_is_reviewed_by_two_corrected_by_a_third_and_all_of_it_is_counted(
    browsing: Browsing, scan_id: str
) -> None:
    two_review_at_once(browsing, scan_id)
    one_corrects(browsing, scan_id)
    for scheme in ("light", "dark"):
        with browsing.page("/agreement", scheme) as page:
            expect(page.locator(".lead")).to_contain_text(
                "1 mask was reviewed (accepted 0, corrected 1"
            )
            expect(page.locator(".lead")).to_contain_text("too few to tell")
            expect(page.locator("#chart canvas")).to_be_visible()
            for name in ("Ada <img src=x>", "Zoë", "李"):
                expect(page.get_by_role("row", name=name).last).to_be_visible()


def two_review_at_once(browsing: Browsing, scan_id: str) -> None:
    """Who comes second is told what the first one said, and both words stay."""
    way = f"/scans/{scan_id}"
    ada, li = "Ada <img src=x>", "李"
    with browsing.page(way, who=ada) as first, browsing.page(way, "dark", who=li) as second:
        reject(first)
        expect(first.locator("#review [role=status]")).to_contain_text("Your review is saved")
        second.evaluate("document.activeElement.blur()")
        second.evaluate("document.querySelector('[data-key=a]').click()")  # as its key does
        expect(second.get_by_role("button", name="Save review")).to_be_focused()
        second.keyboard.press("Enter")
        expect(second.locator("h1")).to_have_text("Please check again")
        expect(second.locator("main li")).to_contain_text("Ada <img src=x>: Rejected: wrong border")
        browsing.expect("409")
        browsing.check(second)
        second.get_by_role("button", name="anyway").click()
        said = second.locator(".statements li")
        expect(said).to_have_count(2)
        expect(said.first).to_contain_text("Accepted by 李")
        second.get_by_role("link", name="Go to the next").click()
        expect(second.locator("#review")).to_contain_text("Not reviewed.")


def one_corrects(browsing: Browsing, scan_id: str) -> None:
    """A mask becomes a revision while the page waits; a file that is none is refused."""
    mask = larger_mask(browsing.site.folder, scan_id)
    with browsing.page(f"/scans/{scan_id}", who="Zoë") as page:
        send(page, mask.with_name("settings.toml"))
        expect(page.locator("main")).to_contain_text("is a NIfTI file")
        browsing.expect("400")
        page.go_back()
        send(page, mask)
        sent = page.locator("#corrections")
        expect(sent).to_contain_text("Saved as revision 2", timeout=WITHIN)
        expect(sent).to_contain_text("Dice with the mask of the network: 0.")
        sent.get_by_role("link", name="Show it").click()
        expect(page.locator("#review")).to_contain_text("The newest mask was corrected by Zoë")
        expect(page.locator(".statements li").first).to_contain_text("mask of revision 1")
        expect(page.locator("main")).to_contain_text("The mask was corrected by Zoë.")
