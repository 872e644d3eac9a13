"""The documents are true: links lead somewhere, the site is whole, names that they give exist."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from daemon.settings.errors import RETIRED

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MOST_LINES = 90  # of README.md: one page
ALL = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
FOR_USERS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
SETTING = re.compile(r"(daemon|model|viewer|training)\.([a-z_0-9]+)(?: = .*)?")
OVERRIDE = re.compile(r"GLIOWATCH_([A-Z]+)__([A-Z_0-9]+)")


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


def test_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("document", ALL, ids=name_of)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    for link in LINK.findall(FENCE.sub("", document.read_text())):
        place, _, anchor = link.partition("#")
        if ":" in place:
            continue
        target = (document.parent / place).resolve() if place else document
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors_of(target), link


@pytest.mark.parametrize("document", ALL, ids=name_of)
def test_blocks_of_code_begin_their_line(document: Path) -> None:
    """MkDocs does not draw those that stand inside a list."""
    assert "\n ```" not in re.sub(r"\n +", "\n ", document.read_text())


def anchors_of(document: Path) -> set[str]:
    """The anchors of all headings, as GitHub and MkDocs make them."""
    headings = HEADING.findall(FENCE.sub("", document.read_text()))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("document", FOR_USERS, ids=name_of)
def test_settings_in_documents_exist(document: Path) -> None:
    known = tomllib.loads((ROOT / "settings.toml").read_text())
    gone = RETIRED if document == DOCS / "upgrade.md" else {}
    for table, key in settings_in(document.read_text()):
        assert key in known[table] or f"{table}.{key}" in gone


def settings_in(text: str) -> Iterator[tuple[str, str]]:
    """Table and key of each setting that stands in backticks or overrides one."""
    for code in CODE.findall(text):
        found = SETTING.fullmatch(code)
        if found and found[2] != "py":
            yield found[1], found[2]
    for table, key in OVERRIDE.findall(text):
        yield table.lower(), key.lower()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents as MkDocs builds them; a warning is a failure."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_has_every_page(site: Path) -> None:
    pages = {str(path.relative_to(DOCS).with_suffix(".html")) for path in DOCS.rglob("*.md")}
    assert pages <= {str(path.relative_to(site)) for path in site.rglob("*.html")}


class Loaded(HTMLParser):
    """The addresses that a page loads by itself; those of links that a reader clicks are not."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = ("src", "srcset", "data", "poster", "href" if tag in ("link", "base") else "src")
        self.addresses += [value for name, value in attrs if name in names and value]


def test_the_site_loads_nothing_from_outside(site: Path) -> None:
    for path in site.rglob("*.html"):
        addresses = Loaded(path.read_text()).addresses
        assert addresses
        outside = [each for each in addresses if re.match(r"(\w+:)?//", each)]
        assert not outside, (path.name, outside)
    for path in site.rglob("*.css"):
        loads = re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)", path.read_text())
        assert not loads, (path.name, loads)


@pytest.mark.parametrize("document", FOR_USERS, ids=name_of)
def test_chosen_tests_exist(document: Path) -> None:
    """`pytest -k NAME` in a document names a file of tests."""
    for name in re.findall(r"pytest -k (\w+)", document.read_text()):
        assert list((ROOT / "tests").rglob(f"test_*{name}*.py")), name


def test_the_license_table_names_every_sample() -> None:
    text = (ROOT / "LICENSES.md").read_text()
    for path in (ROOT / "samples").rglob("*"):
        if path.is_file() and path.name != "README.md" and path.suffix != ".py":
            below = path.relative_to(ROOT)
            assert f"`{below}`" in text or f"`{below.parent}/`" in text


def test_the_license_table_names_every_font() -> None:
    text = (ROOT / "LICENSES.md").read_text()
    fonts = list((ROOT / "daemon").rglob("*.ttf"))
    assert fonts
    for path in fonts:
        assert f"`{path.relative_to(ROOT)}`" in text


def test_every_attack_of_the_table_names_a_test_that_there_is() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (DOCS / "attacks.md").read_text())
    assert len(named) > 30
    for file, test in named:
        assert re.search(rf"def {test}\(", (ROOT / file).read_text()), f"{file}::{test}"
