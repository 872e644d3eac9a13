"""An installation as an earlier version leaves it: `python -m tests.upgrade.make SHA`.

The version is checked out aside, runs over a small inbox, people enter what it can hold, and it
runs again. What lies there then goes into `SHA.tar.xz` beside this file, with every name as it
was. Only the pixels of the pictures that it drew are blackened, and each PDF has one empty page:
nothing reads them, and they would be nine tenths of the archive.
"""

import contextlib
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pydicom
from PIL import Image

from tests.upgrade.people import ENTRIES
from tests.upgrade.small_inbox import ROOT, fill

HERE = Path(__file__).parent
QUICK = {
    "GLIOWATCH_DAEMON__REST_SECONDS": "0.3",
    "GLIOWATCH_DAEMON__RECONCILE_SECONDS": "1",
    "GLIOWATCH_MODEL__LEAST_FLAIR": "0",  # the scans are too small for the input check
    "GLIOWATCH_MODEL__THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


def main() -> None:
    """Make the archives of the versions that are named, or of all."""
    for version in sys.argv[1:] or ENTRIES:
        with tempfile.TemporaryDirectory() as aside, checked_out(version) as tree:
            site = Path(aside) / "site"
            work(version, tree, site)
            for path in site.glob("outbox/**/*"):
                blacken(path)
            pack(site, HERE / f"{version}.tar.xz")


@contextlib.contextmanager
def checked_out(version: str) -> Iterator[Path]:
    """The version's files, in a folder that goes away again."""
    with tempfile.TemporaryDirectory() as aside:
        tree = Path(aside) / version
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(tree), version], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def work(version: str, tree: Path, site: Path) -> None:
    """Run the version, let people enter things, and run it again for what follows from them."""
    fill(site / "inbox")
    settings = site / "settings.toml"
    settings.write_bytes((tree / "settings.toml").read_bytes())
    run = ["-m", "gliowatch", "run", "--once", "--settings", str(settings)]
    assert old_python(tree, *run) == 1, "one of the files is rejected"
    assert old_python(tree, str(HERE / "people.py"), version, str(settings)) == 0
    assert old_python(tree, *run) in (0, 1)


def old_python(tree: Path, *words: str) -> int:
    """The exit status of a Python that finds the version's files before ours."""
    environment = os.environ | QUICK | {"PYTHONPATH": str(tree)}
    return subprocess.run(
        [sys.executable, *words], cwd=tree, env=environment, check=False
    ).returncode


def blacken(path: Path) -> None:
    """Keep a picture's form and size, not what it shows; what was dropped stays as it is."""
    if "source" in path.parts:
        return
    if path.suffix == ".png" and not path.stem.endswith("_seg"):
        image = Image.open(path)
        Image.new(image.mode, image.size).save(path)
    elif path.suffix == ".pdf":
        Image.new("1", (595, 842), 1).save(path)
    elif path.suffix == ".dcm" and path.stem.isdecimal():
        picture = pydicom.dcmread(path)
        picture.PixelData = bytes(len(picture.PixelData))
        picture.save_as(path)


def pack(site: Path, archive: Path) -> None:
    """All files, and the folders that are empty, without owners."""
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for path in sorted(site.rglob("*")):
            name = str(path.relative_to(site))
            if not name.endswith(".lock"):
                tar.add(path, name, recursive=False, filter=nobodys)


def nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The same entry as root's, whoever made it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main()
