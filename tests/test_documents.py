"""The documents are true: every file of the house is told, every link leads somewhere."""

import re

from tests.conftest import ROOT

ROOMS = ("model", "daemon", "viewer", "training")


def test_architecture_has_a_line_for_every_file() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    names = {str(path.relative_to(ROOT)) for path in files if path.name != "__init__.py"}
    told = set(re.findall(r"^\| `([\w/]+\.py)` \|", text, re.MULTILINE))
    assert told - {"gliowatch.py"} == names


def test_links_between_documents_lead_somewhere() -> None:
    for document in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (ROOT / target).exists(), (document.name, target)


def test_the_license_table_names_every_sample() -> None:
    text = (ROOT / "LICENSES.md").read_text()
    for path in (ROOT / "samples").rglob("*"):
        if path.is_file() and path.name != "README.md" and path.suffix != ".py":
            below = path.relative_to(ROOT)
            assert f"`{below}`" in text or f"`{below.parent}/`" in text


def test_the_license_table_names_every_font() -> None:
    text = (ROOT / "LICENSES.md").read_text()
    fonts = list((ROOT / "daemon" / "outputs" / "fonts").glob("*.ttf"))
    assert fonts
    for path in fonts:
        assert f"`{path.relative_to(ROOT)}`" in text


def test_every_attack_of_the_table_names_a_test_that_there_is() -> None:
    named = re.findall(r"`(tests/\w+\.py)::(\w+)`", (ROOT / "docs" / "attacks.md").read_text())
    assert len(named) > 30
    for file, test in named:
        assert re.search(rf"def {test}\(", (ROOT / file).read_text()), f"{file}::{test}"
