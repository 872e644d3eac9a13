"""The way back: an earlier version refuses what is newer, and goes on from what was kept before."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.index.database import open_index, open_records
from tests.conftest import ROOT

REFUSAL = "A database file was made by a newer version of gliowatch."
FIRST_LOOK = {"ade0a53": ("run", "--once")}  # it had no `verify`
DATABASES = ("index.sqlite", "records.sqlite")


@pytest.fixture
def tree(version: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version's own files; the test is skipped in a copy without its commit."""
    folder = tmp_path_factory.mktemp(version)
    packed = folder / "tree.tar"
    words = ["archive", "-o", str(packed), version, "daemon", "model", "viewer", "gliowatch.py"]
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"the commit {version} is not in this copy of the repository")
    shutil.unpack_archive(packed, folder)
    return folder


def old(tree: Path, site: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command of the version, over its site."""
    command = [sys.executable, "-m", "gliowatch", *words, "--settings", str(site / "settings.toml")]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )


async def upgrade(site: Path) -> None:
    """Open both databases as this version does."""
    for name, opened in zip(DATABASES, (open_index, open_records), strict=True):
        async with opened(site / name):
            pass


@pytest.mark.long
def test_down_again_with_the_copies(version: str, tree: Path, site: Path, tmp_path: Path) -> None:
    look = FIRST_LOOK.get(version, ("verify",))
    kept = tmp_path / "kept"
    kept.mkdir()
    for path in site.glob("*.sqlite*"):
        shutil.copy(path, kept)
    asyncio.run(upgrade(site))
    upgraded = {name: (site / name).read_bytes() for name in DATABASES}
    refused = old(tree, site, *look)
    assert (refused.returncode, refused.stdout) == (2, ""), refused.stderr
    assert REFUSAL in refused.stderr
    assert upgraded == {name: (site / name).read_bytes() for name in DATABASES}
    for path in site.glob("*.sqlite*"):
        path.unlink()
    for path in kept.iterdir():
        shutil.copy(path, site)
    back = old(tree, site, *look)
    assert back.returncode == 0, back.stdout + back.stderr
