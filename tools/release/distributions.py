"""Wheel and sdist, built so that the same files give the same bytes, wherever and whenever."""

import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from model.errors import GliowatchError


class NotBuilt(GliowatchError):
    """A step of the build failed; its output tells why."""

    def __init__(self, step: str, output: str) -> None:
        super().__init__(f"{step} failed:\n{output.strip()}")


@dataclass(frozen=True)
class Wheel:
    """A wheel that was built."""

    path: Path

    @property
    def version(self) -> str:
        """As its name has it."""
        return self.path.name.split("-")[1]

    @property
    def sha256(self) -> str:
        """Of all of it."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def read(self, name: str) -> bytes:
        """The content of a file in it. Raises KeyError if it is not there."""
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(name)


def build(tree: Path, folder: Path, moment: int) -> Wheel:
    """Wheel and sdist of the tree, into the folder; `moment`: the time of all files in them.

    Raises NotBuilt.
    """
    dated = {"SOURCE_DATE_EPOCH": str(moment)}
    _step("hatchling", "build", "-d", str(folder.absolute()), tree=tree, **dated)
    [path] = folder.glob("*.whl")
    return Wheel(path)


def check_metadata(folder: Path) -> None:
    """Ask twine whether a package index could show what lies there. Raises NotBuilt."""
    files = sorted(path.name for path in folder.glob("gliowatch-*"))
    _step("twine", "check", "--strict", *files, tree=folder)


def _step(module: str, *words: str, tree: Path, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=tree,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotBuilt(module, done.stdout + done.stderr)
