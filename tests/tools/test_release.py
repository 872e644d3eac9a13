"""`make release`: the same bytes from the same files, licences of all parts, what it refuses."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.programs import refuse_copy
from tools.release.distributions import NotBuilt, Wheel, build, check_metadata
from tools.release.licences import licence_list
from tools.release.readiness import faults
from tools.release.sbom import SCHEMA, sbom
from tools.release.third_party import Package, packages, vendored

MOMENT = 1_700_000_000
LICENCES = ROOT / "LICENSES.md"
FOREIGN = ("viewer/static/vendor", "daemon/outputs/fonts")  # all there is of others
# These would bind a site that passes gliowatch on; the LGPL lets a library be used.
UNWELCOME = re.compile(r"\bA?GPL|Affero|(?<!Lesser )General Public", re.IGNORECASE)


@pytest.fixture(scope="module")
def parts() -> list[Package]:
    return packages()


def test_every_package_has_its_version_pinned_and_a_licence(parts: list[Package]) -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    pinned = {
        canonicalize_name(name): version for name, _, version in (x.partition("==") for x in lines)
    }
    assert {each.name: each.version for each in parts}.items() <= pinned.items()
    assert [each.name for each in parts if not each.licence] == []
    assert [each.name for each in parts if UNWELCOME.search(each.licence)] == []


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "AGPL-3.0", "GNU General Public License v2"])
def test_what_is_unwelcome_is_found(licence: str) -> None:
    assert UNWELCOME.search(licence)


def test_what_a_run_needs_is_told_from_extras(parts: list[Package]) -> None:
    optional = {each.name: each.is_optional for each in parts}
    assert not optional["openvino"]
    assert not optional["multidict"]  # by way of aiohttp
    assert optional["torch"]
    assert optional["pynetdicom"]
    assert not {"pytest", "mypy", "flask"} & optional.keys()


def test_all_files_of_others_are_listed() -> None:
    listed = {path for row in vendored(LICENCES) for path in row.paths}
    assert all((ROOT / path).is_file() for path in listed)
    there = {
        str(path.relative_to(ROOT))
        for folder in FOREIGN
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".js", ".css", ".ttf", ".woff2")
    }
    assert there <= listed
    text = licence_list(LICENCES)
    assert "\nzipstream-ng 1" in text
    assert all(path in text for path in listed)


@pytest.fixture
def wheel(tmp_path: Path) -> Wheel:
    """With all files of others in it, and nothing else."""
    path = tmp_path / "gliowatch-9.8.7-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in (name for row in vendored(LICENCES) for name in row.paths):
            archive.write(ROOT / name, name)
    return Wheel(path)


def test_the_sbom_follows_its_schema(wheel: Wheel, parts: list[Package]) -> None:
    rows = vendored(LICENCES)
    text = sbom(wheel, MOMENT, parts, rows)
    assert JsonStrictValidator(SCHEMA).validate_str(text) is None
    assert JsonStrictValidator(SCHEMA).validate_str(
        text.replace('"pkg:', '"no:').replace('"file"', '"thing"')
    )
    assert text == sbom(wheel, MOMENT, list(reversed(parts)), rows)
    told = json.loads(text)
    assert told["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert told["metadata"]["component"]["version"] == "9.8.7"
    files = {
        each["name"]: each["hashes"][0]["content"]
        for each in told["components"]
        if each["type"] == "file"
    }
    for name, digest in files.items():
        assert digest == hashlib.sha256((ROOT / name).read_bytes()).hexdigest()
    named = {each["name"] for each in told["components"]}
    assert named == {each.name for each in parts} | set(files)
    needs = {each["ref"]: each.get("dependsOn", []) for each in told["dependencies"]}
    assert "aiohttp" in needs["gliowatch"]
    assert "multidict" in needs["aiohttp"]


def test_a_licence_that_is_not_told_is_left_out(wheel: Wheel, parts: list[Package]) -> None:
    [numpy] = [each for each in parts if each.name == "numpy"]
    silent = [replace(numpy, licence="") if each is numpy else each for each in parts]
    told = json.loads(sbom(wheel, MOMENT, silent, []))
    [shown] = [each for each in told["components"] if each["name"] == "numpy"]
    assert "licenses" not in shown


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small repository that can be released as 1.2.0, after 1.1.0."""
    (tmp_path / "tests" / "upgrade").mkdir(parents=True)
    (tmp_path / "tests" / "upgrade" / "v1.1.0.tar.xz").touch()
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0 (2026-12-01)\n\n- New.\n")
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    git(tmp_path, "tag", "v1.1.0")
    return tmp_path


def git(tree: Path, *words: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@b.example"]
    subprocess.run(["git", "-C", str(tree), *who, *words], check=True)


def commit(tree: Path) -> None:
    git(tree, "add", "--all")
    git(tree, "commit", "-q", "-m", "Anything")


def test_a_whole_tree_can_be_released(tree: Path) -> None:
    assert faults(tree, "1.2.0") == []


def test_what_keeps_a_tree_from_its_release_is_told(tree: Path) -> None:
    (tree / "new.py").touch()
    assert faults(tree, "1.2.0") == ["Files are not committed: git status shows them."]
    commit(tree)
    assert faults(tree, "1.3.0") == ["CHANGELOG.md has no section of 1.3.0."]
    git(tree, "tag", "v1.2.0")
    assert faults(tree, "1.2.0") == [
        "The tag v1.2.0 is there already: raise the version in pyproject.toml."
    ]
    text = "# Changelog\n\n## 1.3.0 (not released)\n"
    (tree / "CHANGELOG.md").write_text(text)
    commit(tree)
    assert faults(tree, "1.3.0") == [
        "No test upgrades from v1.2.0: python -m tests.upgrade.make v1.2.0",
        "CHANGELOG.md calls 1.3.0 not released: write its date, YYYY-MM-DD.",
    ]


@pytest.mark.long
def test_two_builds_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From two copies with other places, times, modes and masks; twine finds nothing amiss."""
    refuse_copy()
    made = []
    for name, umask in (("here", 0o022), ("there", 0o077)):
        before = os.umask(umask)
        try:
            made.append(build(copy_of_ours(tmp_path / name), tmp_path / f"dist-{name}", MOMENT))
        finally:
            os.umask(before)
    sums = [
        {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in each.path.parent.glob("gliowatch-*")
        }
        for each in made
    ]
    assert sums[0] == sums[1]
    assert len(sums[0]) == 2
    monkeypatch.chdir(made[0].path.parents[1])
    check_metadata(Path(made[0].path.parent.name))  # from beside it, as `make release` asks
    listed = {path for row in vendored(LICENCES) for path in row.paths}
    assert all(made[0].read(path) for path in listed)


def copy_of_ours(folder: Path) -> Path:
    """The files that git knows or would take, written now."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).split("\0")
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def test_twine_tells_what_an_index_would_refuse(tmp_path: Path) -> None:
    path = tmp_path / "gliowatch-1.0-py3-none-any.whl"
    facts = "Metadata-Version: 2.4\nName: gliowatch\nVersion: 1.0\n"
    facts += "Description-Content-Type: text/x-rst\n\nTitle\n==\n\n.. nothing::\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("gliowatch-1.0.dist-info/METADATA", facts)
        archive.writestr("gliowatch-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    with pytest.raises(NotBuilt, match=r"twine failed(.|\n)*FAILED"):
        check_metadata(tmp_path)


def test_a_build_that_fails_says_why(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)  # without anything to build from
    with pytest.raises(NotBuilt, match=r"hatchling failed(.|\n)*README\.md"):
        build(tmp_path, tmp_path / "dist", MOMENT)


def test_the_tree_as_it_is_is_judged() -> None:
    command = [sys.executable, "-m", "tools.release.licences"]
    said = subprocess.check_output(command, cwd=ROOT, text=True)
    assert said.startswith("Packages that gliowatch needs\n\naiohappyeyeballs ")
