"""Other people's programs that tests ask for a second opinion."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parent.parent
OF_DCMTK = (
    "echoscu",
    "storescu",
    "storescp",
)  # pynetdicom has scripts of these names


def program(name: str) -> str:
    """Where a program is. Without it the test is skipped; in CI, which installs it, it fails."""
    beside_python = Path(sys.executable).parent / name
    is_ours = beside_python.exists() and name not in OF_DCMTK
    found = str(beside_python) if is_ours else shutil.which(name, path=os.defpath)
    found = found or shutil.which(name)
    found = found or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    return found or _missing(name)


def installed(file: Path) -> Path:
    """A file that another package brings, such as a plugin. Without it, as without a program."""
    return file if file.exists() else _missing(file.name)


def _missing(name: str) -> NoReturn:
    if os.environ.get("GLIOWATCH_ALL_PROGRAMS"):
        pytest.fail(f"{name} is not installed, and here it must be")
    pytest.skip(f"{name} is not installed")


def refuse_copy() -> None:
    """Skip the test in a copy of the project that is no repository, or somebody else's."""
    asked = subprocess.run(
        [program("git"), "log", "-1", "--format=%H"], cwd=ROOT, capture_output=True, check=False
    )
    if asked.returncode:
        pytest.skip("this copy of the project is no repository of git")
