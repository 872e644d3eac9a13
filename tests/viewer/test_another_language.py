"""In a language whose every sentence is marked, nothing but data stands unmarked on a page."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from daemon.index.people.reviews import Decision, add_review
from daemon.outputs.catalogue import SENTENCES
from daemon.outputs.report_builder import change_sentence
from daemon.permissions import Right, Role
from daemon.report_parts import Change
from tests.viewer.test_house import House, lesion, open_house
from viewer.sessions import RECORDS

NAME, WHO = "Ada Lovelace", "N. Urse"
CHANGE: dict[str, Any] = {
    "prior_scan_id": "s1",
    "prior_acquired_at": "2024-05-06T07:08:09",
    "days": 31.0,
    "volume_ml": 6.2,
    "volume_percent": 18.3,
    "longest_diameter_mm": 3.0,
    "longest_diameter_percent": 8.0,
    "volume_ml_per_30_days": 6.0,
    "ranges_overlap": True,
    "comparable": False,
    "measured_differently": ["spacing"],
    "new_lesions": None,
    "gone_lesions": None,
    "prior_revision": 1,
    "registered": False,
    "words": "",
}
LOW = {"code": "low_confidence", "message": "⟦from the report⟧"}
SHOWN = ("aria-label", "title", "alt", "placeholder", "data-key-help", "aria-description")
QUIET = ("script", "style", "kbd", "code")
LETTERS = re.compile(r"[^\W\d_]{2,}")
# Names of people, of the product, of files and settings, of keys, of networks: data, not words.
DATA = re.compile(
    "|".join(
        [
            *(
                NAME,
                "Urse",
                "unassigned",
                "gliowatch",
                "unet-16",
                "fedcba987654",
                "0123456789ab",
                "LPS",
            ),
            *(
                r"/\S+",
                r"\S+\.(py|sqlite|toml)",
                r"[a-z]+(_[a-z0-9]+)+",
                r"\w+ \d[\w.+]*\.\d+",
                r"[0-9a-f]{64}",
            ),
        ]
    )
)
SETTINGS = re.compile(r"(<summary>⟦\[.*?</summary>)\s*<dl.*?</dl>", re.DOTALL)  # keys and values
NOTED = re.compile(
    r'<td class="free"[^>]*>.*?</td>', re.DOTALL
)  # ids and words that the audit keeps
MARKED = re.compile("⟦[^⟦⟧]*⟧")


@pytest.fixture(autouse=True)
def marked() -> Iterator[None]:
    """The catalogue with every sentence in brackets."""
    SENTENCES.use({key: f"⟦{sentence}⟧" for key, sentence in SENTENCES.sentences.items()})
    yield
    SENTENCES.use({})  # read again


class Visible(HTMLParser):
    """Every text that a person sees or hears, but settings and versions, which are data."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        self.found += [value for name, value in attrs if name in SHOWN and value]

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if not set(QUIET) & set(self._open):
            self.found.append(data)


def unmarked(page: str) -> list[str]:
    """What stands on a page outside all brackets, and is no data."""
    visible = Visible()
    visible.feed(SETTINGS.sub(r"\1", page))
    left = []
    for text in visible.found:
        while MARKED.search(text):
            text = MARKED.sub("", text)
        text = DATA.sub("", text.strip())
        if LETTERS.search(text) or "⟦" in text or "⟧" in text:
            left.append(text)
    return left


async def fill(house: House) -> str:
    """Patients, scans, a review and what goes wrong; the key of a patient."""
    key = await house.add_patient("77", name=NAME, gender="Female", birth_date="1961-02-03")
    await house.add_scan("77", "s1", quality=[LOW])
    told: dict[str, Any] = CHANGE | {"words": change_sentence(Change.model_validate(CHANGE))}
    lesions = [lesion(), lesion(id=2, side="left", crosses_midline=True, across_midline_mm=4.0)]
    shift: dict[str, Any] = {
        "midline_shift_score": 1.0,
        "midline_shift_mm": 1.0,
        "midline_shift_to": None,
    }
    nothing: dict[str, Any] = {"finding": "not_judged", "volume_ml": None, "lesions": []}
    await house.add_scan("78", "s3", quality=[LOW], **nothing)
    await house.add_scan("unassigned", "s4", quality=[LOW])
    await house.add_scan("77", "s2", change=told, lesions=lesions, quality=[LOW], **shift)
    review = ("s2", 1, Decision.REJECTED, "", WHO, "missed", "")
    await add_review(house.app[RECORDS], *review)
    await house.add_waiting("79", "a.nii")
    await house.add_waiting("80", "b.nii", rested=False)
    await house.post(f"/patients/{key}", {"version": "1", "name": NAME, "gender": "Female"})
    return key


PAGES = (
    *("/", "/?state=open", "/?side=left", "/?sort=volume&dir=desc", "/patients", "/patients/new"),
    *("/patients/unassigned", "/patients/deleted", "/upload", "/system", "/agreement", "/account"),
    *("/system/months", "/accounts", "/audit", "/scans/s1", "/scans/s2", "/scans/s3"),
    *("/patients/KEY", "/patients/KEY/edit", "/patients/KEY/photo", "/patients/KEY/delete"),
    *(
        "/patients/KEY/compare",
        "/patients/KEY/compare?a=s1&b=s2",
        "/worklist/rows?ids=1,99&since=1",
    ),
)


async def test_every_page_says_all_in_the_marked_language(tmp_path: Path) -> None:
    async with open_house(tmp_path, who=WHO) as house:
        key = await fill(house)
        for path in PAGES:
            page = await house.page(path.replace("KEY", key))
            page = NOTED.sub("", page) if path == "/audit" else page
            assert not unmarked(page), path
            assert page.count("⟦") > 5, path
        for path in ("/nothing", "/scans/none", "/?state=odd"):
            assert not unmarked(await house.page(path, 404)), path


async def test_what_is_refused_is_refused_in_the_marked_language(tmp_path: Path) -> None:
    async with open_house(tmp_path, who=WHO) as house:
        await fill(house)
        for path, fields in {
            "/scans/s1/reviews": {},
            "/system": {"action": "reprocess_older", "confirmed": "x"},
            "/patients": {"patient_id": "", "birth_date": "3"},
            "/account/tokens": {},
            "/accounts": {"name": ""},
            "/scans/s1/date": {"acquired_on": "x"},
            "/patients/unassigned": {"scan_id": "s4", "patient_id": "none"},
            "/account/password": {"old": "x", "new": "short", "again": "short"},
        }.items():
            status, page = await house.post(path, fields)
            assert status >= 400, path
            assert not unmarked(page), path


async def test_who_has_no_right_reads_so_in_the_marked_language(tmp_path: Path) -> None:
    async with open_house(tmp_path, who=WHO, role=Role.READER) as house:
        page = await house.page("/accounts", 403)
        assert not unmarked(page)
        assert f"⟦{Right.ADMIN}⟧" in page
        assert "⟦Access denied⟧" in page
