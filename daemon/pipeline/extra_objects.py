"""DICOM objects beside results, which never change: each is written once, and its hash is kept."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.drops import DICOM
from daemon.pipeline.outbox import EXTRA
from daemon.safe_files import sync_folder

SCHEMA = "gliowatch/manifest/1"
PART = ".part"


def keep_object(outbox: Path, key: str, name: str, content: bytes) -> None:
    """Write an object to `.extra/<key>/dicom/`, synced, unless one of this name is there.

    The hash comes first: a crash between leaves a name without a file, and the next try writes it.
    """
    place = outbox / EXTRA / key
    folder = place / DICOM
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / name).exists():
        return
    listed = _listed(place)
    listed[f"{DICOM}/{name}"] = (len(content), hashlib.sha256(content).hexdigest())
    files = [{"name": n, "size": size, "sha256": sha} for n, (size, sha) in sorted(listed.items())]
    told = json.dumps({"schema": SCHEMA, "scan_id": key, "files": files}, indent=1) + "\n"
    _write(place, manifest_in(place), told.encode("ascii"))
    _write(place, folder / name, content)


def manifest_in(place: Path) -> Path:
    """The manifest of what was added beside one scan or drop."""
    return place / f"{place.name}_objects.json"


def _write(place: Path, path: Path, content: bytes) -> None:
    """Whole or not at all: nothing but objects ever lies in `dicom/`."""
    part = place / f"{secrets.token_hex(8)}{PART}"
    with part.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.rename(path)
    for folder in (path.parent, place, place.parent):
        sync_folder(folder)


def _listed(place: Path) -> dict[str, tuple[int, str]]:
    try:
        files = json.loads(manifest_in(place).read_bytes())["files"]
        return {each["name"]: (int(each["size"]), str(each["sha256"])) for each in files}
    except FileNotFoundError:
        return {}


def has_object(outbox: Path, key: str, name: str) -> bool:
    """Whether an object of this name was written."""
    return (outbox / EXTRA / key / DICOM / name).is_file()


@dataclass(frozen=True)
class Fault:
    """What is wrong with an object beside a result. place: a path below the outbox."""

    place: str
    message: str


def faults_in(outbox: Path) -> Iterator[Fault]:
    """Objects that are missing, were added or changed since they were written."""
    for folder in sorted((outbox / EXTRA).glob(f"*/{DICOM}")):
        place = folder.parent
        listed = _listed(place)
        found = {str(path.relative_to(place)): path for path in folder.rglob("*.dcm")}
        for name in sorted(listed.keys() | found.keys()):
            where = str((place / name).relative_to(outbox))
            if name not in found:
                yield Fault(where, "The object is missing.")
            elif name not in listed:
                yield Fault(where, "Nothing is known of the object.")
            elif hashlib.sha256(found[name].read_bytes()).hexdigest() != listed[name][1]:
                yield Fault(where, "The object is not what was written.")
