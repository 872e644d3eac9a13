"""Other people's programs that tests ask for a second opinion."""

import os
import shutil
import sys
from pathlib import Path

import pytest

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
    if found is None and os.environ.get("GLIOWATCH_ALL_PROGRAMS"):
        pytest.fail(f"{name} is not installed, and here it must be")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found
