"""What an earlier version left, on this disk."""

import os
import re
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from daemon.intake.cleanup import REASON
from daemon.settings import Settings, load_settings
from tests.upgrade.people import ENTRIES

HERE = Path(__file__).parent


@pytest.fixture(params=ENTRIES)
def version(request: pytest.FixtureRequest) -> str:
    """Each earlier version."""
    return str(request.param)


@pytest.fixture
def site(version: str, tmp_path: Path) -> Path:
    """What it left, on this disk."""
    with tarfile.open(HERE / f"{version}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as index, index:
        for path, below in set_aside(tmp_path / "inbox"):
            facts = path.stat()
            index.execute(
                "UPDATE files SET inode = ?, mtime_ns = ? WHERE path = ?",
                (facts.st_ino, facts.st_mtime_ns, os.fsencode(below)),
            )
    return tmp_path


def set_aside(inbox: Path) -> list[tuple[Path, Path]]:
    """The files that were set aside, and the names that they had below the inbox."""
    files = [path for path in inbox.glob(".[rd]*/**/*") if path.is_file()]
    return [
        (path, path.relative_to(inbox).relative_to(path.relative_to(inbox).parts[0]))
        for path in files
        if not path.name.endswith(REASON.decode())
    ]


@pytest.fixture
def settings(site: Path) -> Settings:
    """Its settings, after what the refusal asked for was done."""
    file = site / "settings.toml"
    gone = r"^(token|folder_is_patient_id) = .*\n"
    file.write_text(re.sub(gone, "", file.read_text("utf-8"), flags=re.M), "utf-8")
    return load_settings(file)
