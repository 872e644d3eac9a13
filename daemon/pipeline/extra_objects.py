"""Objects beside results, which never change: each is written once, and its hash is kept.

DICOM objects are the daemon's and messages of FHIR the sender's, with a list of hashes each: they
are two processes.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.drops import DICOM
from daemon.outputs.manifest import KnownFile, compare_files, files_of, manifest_of
from daemon.pipeline.outbox import EXTRA
from daemon.safe_files import sync_folder

PART = ".part"
FHIR = "fhir"  # below `.extra/<scan>`
LISTS = {DICOM: "objects", FHIR: "messages"}  # what the list of hashes of a folder is called


def document_name(scan_id: str, revision: int, number: int) -> str:
    """The file of an SR of measurements by hand, beside its scan."""
    return f"{scan_id}-r{revision}_byhand{number}_sr.dcm"


def keep_object(outbox: Path, key: str, name: str, content: bytes, kind: str = DICOM) -> None:
    """Write an object to `.extra/<key>/<kind>/`, synced, unless one of this name is there.

    The hash comes first: a crash between leaves a name without a file, and the next try writes it.
    """
    place = outbox / EXTRA / key
    folder = place / kind
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / name).exists():
        return
    known = KnownFile(len(content), 0, hashlib.sha256(content).hexdigest())
    listed = _listed(place, kind) | {f"{kind}/{name}": known}
    told = manifest_of({"scan_id": key}, dict(sorted(listed.items())))
    _write(place, manifest_in(place, kind), told.encode("ascii"))
    _write(place, folder / name, content)


def manifest_in(place: Path, kind: str = DICOM) -> Path:
    """The manifest of what was added beside one scan or drop."""
    return place / f"{place.name}_{LISTS[kind]}.json"


def _write(place: Path, path: Path, content: bytes) -> None:
    """Whole or not at all: nothing but objects ever lies in their folder."""
    part = place / f"{secrets.token_hex(8)}{PART}"
    with part.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.rename(path)
    for folder in (path.parent, place, place.parent):
        sync_folder(folder)


def _listed(place: Path, kind: str) -> dict[str, KnownFile]:
    try:
        return files_of(manifest_in(place, kind).read_bytes())
    except FileNotFoundError:
        return {}


def has_object(outbox: Path, key: str, name: str, kind: str = DICOM) -> bool:
    """Whether an object of this name was written."""
    return (outbox / EXTRA / key / kind / name).is_file()


@dataclass(frozen=True)
class Fault:
    """What is wrong with an object beside a result. place: a path below the outbox."""

    place: str
    message: str


def faults_in(outbox: Path) -> Iterator[Fault]:
    """Objects that are missing, were added or changed since they were written."""
    for folder in sorted(each for kind in LISTS for each in (outbox / EXTRA).glob(f"*/{kind}")):
        listed = _listed(folder.parent, folder.name)
        known = {name.removeprefix(f"{folder.name}/"): k for name, k in listed.items()}
        found = compare_files(folder, known, whole=True)
        for names, message in (
            (found.missing, "The object is missing."),
            (found.added, "Nothing is known of the object."),
            (found.changed, "The object is not what was written."),
        ):
            for name in names:
                yield Fault(str((folder / name).relative_to(outbox)), message)
