"""What a tree lacks before it can be released."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

SECTION = re.compile(r"^## (\S+) \(([^)]*)\)$", re.MULTILINE)
DATE = re.compile(r"\d{4}-\d\d-\d\d")


def faults(tree: Path, version: str) -> list[str]:
    """A sentence for each thing that is missing; none if the version can be released."""
    return [*_of_git(tree, version), *_of_changelog(tree, version)]


def _of_git(tree: Path, version: str) -> Iterator[str]:
    if _git(tree, "status", "--porcelain"):
        yield "Files are not committed: git status shows them."
    tags = _git(tree, "tag").split()
    if f"v{version}" in tags:
        yield f"The tag v{version} is there already: raise the version in pyproject.toml."
    for tag in tags:
        if tag != f"v{version}" and not (tree / "tests" / "upgrade" / f"{tag}.tar.xz").exists():
            yield f"No test upgrades from {tag}: python -m tests.upgrade.make {tag}"


def _of_changelog(tree: Path, version: str) -> Iterator[str]:
    sections = dict(SECTION.findall((tree / "CHANGELOG.md").read_text("utf-8")))
    if version not in sections:
        yield f"CHANGELOG.md has no section of {version}."
    elif not DATE.fullmatch(sections[version]):
        yield f"CHANGELOG.md calls {version} {sections[version]}: write its date, YYYY-MM-DD."


def _git(tree: Path, *words: str) -> str:
    return subprocess.check_output(["git", "-C", str(tree), *words], text=True)
