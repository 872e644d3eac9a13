"""The manifest of a result: name, size and SHA-256 of every other file of its folder."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.report import Report

SCHEMA = "gliowatch/manifest/1"


@dataclass(frozen=True)
class KnownFile:
    """What a file of a result was when it was published."""

    size: int
    mtime_ns: int
    sha256: str


def manifest_name(scan_id: str) -> str:
    """The manifest's name in the folder of a result."""
    return f"{scan_id}_manifest.json"


def write_manifest(report: Report, folder: Path) -> None:
    """Hash all that lies in the folder; nothing is added to it after this."""
    (folder / manifest_name(report.scan_id)).unlink(missing_ok=True)
    about = {"scan_id": report.scan_id, "revision": report.revision}
    text = manifest_of(about, hashed_files(folder))
    (folder / manifest_name(report.scan_id)).write_text(text, "ascii")


def manifest_of(about: Mapping[str, object], files: Mapping[str, KnownFile]) -> str:
    """The text of a manifest. about: what it is of."""
    listed = [{"name": n, "size": each.size, "sha256": each.sha256} for n, each in files.items()]
    return json.dumps({"schema": SCHEMA, **about, "files": listed}, indent=1) + "\n"


def files_of(manifest: bytes) -> dict[str, KnownFile]:
    """What a manifest lists, without times. Raises ValueError, KeyError or TypeError for none."""
    listed = json.loads(manifest)["files"]
    return {each["name"]: KnownFile(int(each["size"]), 0, str(each["sha256"])) for each in listed}


def known_files(folder: Path, scan_id: str) -> dict[str, KnownFile] | None:
    """What a published folder says of itself, with the manifest; None if it has none to read."""
    name = manifest_name(scan_id)
    try:
        told = files_of((folder / name).read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found = stats_in(folder)
    known = {
        each: replace(file, mtime_ns=found[each].st_mtime_ns if each in found else 0)
        for each, file in told.items()
    }
    facts = found[name]
    return known | {name: KnownFile(facts.st_size, facts.st_mtime_ns, _hash(folder / name))}


def hashed_files(folder: Path) -> dict[str, KnownFile]:
    """Every file of a folder, read whole."""
    return {
        name: KnownFile(facts.st_size, facts.st_mtime_ns, _hash(folder / name))
        for name, facts in sorted(stats_in(folder).items())
    }


def stats_in(folder: Path) -> dict[str, os.stat_result]:
    """Every file of a folder at any depth by its path in it, links not followed."""
    found: dict[str, os.stat_result] = {}
    below = [""]
    while below:
        place = below.pop()
        for entry in _entries(os.path.join(folder, place)):
            if not entry.is_dir():
                found[place + entry.name] = entry.stat(follow_symlinks=False)
            elif not entry.is_symlink():
                below.append(f"{place}{entry.name}/")
    return found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # it is gone, or may not be read: what should lie in it is missing then
        return []


@dataclass(frozen=True)
class Comparison:
    """Names of a folder's files that are missing, were added or changed, and those as they were."""

    missing: tuple[str, ...]
    added: tuple[str, ...]
    changed: tuple[str, ...]
    same: frozenset[str]

    @property
    def agrees(self) -> bool:
        """Whether all is as it was."""
        return not (self.missing or self.added or self.changed)


def compare_files(folder: Path, known: Mapping[str, KnownFile], whole: bool) -> Comparison:
    """By sizes and times, and by hashes where a time is another one; `whole`: all by hashes."""
    found = stats_in(folder)
    both = sorted(known.keys() & found.keys())
    changed = {name for name in both if _differs(folder / name, found[name], known[name], whole)}
    return Comparison(
        missing=tuple(sorted(known.keys() - found.keys())),
        added=tuple(sorted(found.keys() - known.keys())),
        changed=tuple(sorted(changed)),
        same=frozenset(both) - changed,
    )


def _differs(path: Path, facts: os.stat_result, known: KnownFile, whole: bool) -> bool:
    if facts.st_size != known.size or not os.path.isfile(path) or os.path.islink(path):
        return True
    if not whole and facts.st_mtime_ns == known.mtime_ns:
        return False
    return _hash(path) != known.sha256


def as_column(known: Mapping[str, KnownFile]) -> str:
    """As the index holds it: JSON on one line."""
    return json.dumps({name: [k.size, k.mtime_ns, k.sha256] for name, k in known.items()})


def from_column(text: str) -> dict[str, KnownFile]:
    """The same read again."""
    return {name: KnownFile(*values) for name, values in json.loads(text).items()}


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:  # it has just gone, or its disk does not give it
        return ""
