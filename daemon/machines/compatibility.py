"""What must be the same on two machines for a scan to have the same result on both."""

import hashlib
import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import model
from daemon.outputs.catalogue import text

PACKAGES = ("gliowatch", "numpy", "scipy", "openvino", "distributed")
CODE = "model code"  # a version's number alone would not tell two checkouts apart
CODE_CHARACTERS = 12


@lru_cache(maxsize=1)
def release() -> dict[str, str]:
    """Versions here by name; of `model/` with its shipped files, readers of weights among them,
    a hash."""
    found = {name: _version(name) for name in PACKAGES}
    found["Python"] = ".".join(platform.python_version_tuple()[:2])
    return found | {CODE: _digest(Path(model.__file__).parent)}


def difference(ours: dict[str, str], theirs: dict[str, str]) -> str:
    """Why another machine cannot analyze for this one, in a sentence; '' if it can."""
    for name, here in ours.items():
        there = theirs.get(name, "none")
        if here != there:
            return text("machines.other_version", name=name, here=here, there=there)
    return ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:CODE_CHARACTERS]
