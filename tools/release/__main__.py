"""`make release`: wheel, sdist, SBOM, licences and checksums into `dist/`, or why not yet.

Run from the repository's folder. It tags nothing and sends nothing anywhere.
"""

import hashlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from model.errors import GliowatchError
from tools.release.distributions import build, check_metadata
from tools.release.licences import LICENCES, licence_list
from tools.release.readiness import faults
from tools.release.sbom import sbom
from tools.release.third_party import packages, vendored

DIST = Path("dist")
SUMS = "SHA256SUMS"


def main() -> int:
    """Make the release, or say what is missing; the exit code."""
    version = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]["version"]
    if found := faults(Path(), version):
        sys.stderr.write("\n".join(("Not yet:", *(f"- {each}" for each in found))) + "\n")
        return 2
    try:
        make(DIST)
    except GliowatchError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    files = "\n".join(f"    {path}" for path in sorted(DIST.iterdir()))
    tag = f'git tag -a v{version} -m "gliowatch {version}"'
    sys.stdout.write(f"gliowatch {version}:\n{files}\nWhen all is well, tag it:\n    {tag}\n")
    return 0


def make(folder: Path) -> None:
    """Fill the folder with the release of the present tree. Raises NotBuilt, MissingPart."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    moment = int(subprocess.check_output(["git", "log", "-1", "--format=%ct"]))
    wheel = build(Path(), folder, moment)
    (folder / ".gitignore").unlink(missing_ok=True)  # hatchling's
    check_metadata(folder)
    text = sbom(wheel, moment, packages(), vendored(LICENCES))
    (folder / f"gliowatch-{wheel.version}.cdx.json").write_text(text, "utf-8")
    (folder / "licences.txt").write_text(licence_list(), "utf-8")
    shutil.copy("constraints.txt", folder)
    sums = "".join(f"{_sha256(path)}  {path.name}\n" for path in sorted(folder.iterdir()))
    (folder / SUMS).write_text(sums, "utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
