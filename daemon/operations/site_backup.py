"""`gliowatch backup DIR` and `restore DIR`: all that a site needs to go on, on another machine.

A backup is a folder with settings, both databases, the masks that people drew, the journals of
what archives have, a list of the outbox, and `manifest.json` with the hash of each of these. The
outbox itself is large and never changes, so it is copied by other means (rsync); `restore` says
which of its files are missing.
"""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from daemon.destinations.journal import SENT, journals_in
from daemon.index.database import Condition, condition_of, copy_into
from daemon.intake.ingest import hash_file
from daemon.operations.backup import make_private
from daemon.outputs.catalogue import text
from daemon.pipeline.outbox import STAGING
from daemon.records.corrections import CORRECTIONS, kept_files
from daemon.safe_files import only_one, sync_file, sync_folder, sync_tree
from daemon.settings import DaemonSettings, Settings, load_settings
from model.errors import GliowatchError

MANIFEST, LISTING, SETTINGS = "manifest.json", "outbox.jsonl", "settings.toml"
INDEX, RECORDS, DRAWN = "index.sqlite", "records.sqlite", "corrections"
JOURNALS = "sent"
Say = Callable[[str], object]


class BackupFault(GliowatchError):
    """Nothing was backed up, or nothing restored; the sentence says why."""


@dataclass(frozen=True)
class KeptFile:
    """A file of a backup. sha256: hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Published:
    """A file of the outbox as it was. path: below the outbox."""

    path: str
    size: int


def back_up(settings: Settings, settings_file: Path, target: Path, say: Say) -> None:
    """Make the backup; gliowatch may run meanwhile. It appears whole or not at all.

    Raises BackupFault, DatabaseError or OSError.
    """
    if target.exists():
        raise BackupFault(text("backup.there_already", folder=target))
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    partial.mkdir(mode=0o700, parents=True)
    try:
        files = _gather(settings.daemon, settings_file, partial)
        manifest = {
            "gliowatch": version("gliowatch"),
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": [asdict(each) for each in files],
        }
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        sync_tree(partial)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_folder(target.parent)
    say(text("backup.made", folder=target, files=len(files)))


def _gather(daemon: DaemonSettings, settings_file: Path, folder: Path) -> list[KeptFile]:
    for source, name in ((daemon.records, RECORDS), (daemon.index, INDEX)):
        make_private(folder / name, source)
        copy_into(source, folder / name)
    if condition_of(folder / RECORDS) is not Condition.SOUND:
        raise BackupFault(text("backup.records_damaged"))
    shutil.copyfile(settings_file, folder / SETTINGS)
    for file in kept_files(daemon.outbox):
        target = folder / DRAWN / file.relative_to(daemon.outbox / CORRECTIONS)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    for journal in journals_in(daemon.outbox):
        target = folder / JOURNALS / journal.name
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(journal, target)
    with (folder / LISTING).open("w") as listing:
        for each in published_files(daemon.outbox):
            listing.write(json.dumps([each.path, each.size]) + "\n")
    return [
        KeptFile(str(path.relative_to(folder)), path.stat().st_size, hash_file(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def published_files(outbox: Path) -> Iterator[Published]:
    """Every file of the outbox but those that are being written."""
    for place, folders, names in os.walk(outbox):
        if Path(place) == outbox:
            folders[:] = [name for name in folders if name not in (STAGING, SENT)]
        for name in names:
            path = Path(place) / name
            yield Published(str(path.relative_to(outbox)), path.lstat().st_size)


def restore_site(folder: Path, settings_file: Path, say: Say) -> bool:
    """Put a backup's databases and drawn masks where the settings say; whether all is there.

    Settings that are there already count, else those of the backup. Raises BackupFault before
    anything is written: where a file of the backup has changed, or entries would be overwritten.
    """
    _check(folder)
    if not settings_file.exists():
        settings_file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / SETTINGS, settings_file)
        say(text("backup.settings_restored", file=settings_file))
    daemon = load_settings(settings_file).daemon
    for place in (daemon.index, daemon.records):
        place.parent.mkdir(parents=True, exist_ok=True)
    with only_one(daemon.index):
        for place in (daemon.records, daemon.index):
            if place.exists():
                raise BackupFault(text("backup.database_there", file=place))
        for name, place in ((INDEX, daemon.index), (RECORDS, daemon.records)):
            _put(folder / name, place)
        for file in sorted((folder / DRAWN).rglob("*")):
            if file.is_file():
                _put(file, daemon.outbox / CORRECTIONS / file.relative_to(folder / DRAWN))
        for file in sorted((folder / JOURNALS).glob("*")):
            _put(file, daemon.outbox / SENT / file.name)
    missing = _missing(folder / LISTING, daemon.outbox)
    say(text("backup.restored", made_at=_manifest(folder)["made_at"]))
    if missing:
        say(text("backup.outbox_lacks", count=len(missing), first=missing[0]))
    return not missing


def _manifest(folder: Path) -> dict[str, object]:
    try:
        content = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        raise BackupFault(text("backup.none_here", folder=folder)) from None
    if not isinstance(content, dict) or not {"made_at", "files"} <= set(content):
        raise BackupFault(text("backup.none_here", folder=folder))
    return content


def _check(folder: Path) -> None:
    files = _manifest(folder)["files"]
    assert isinstance(files, list)
    for each in (KeptFile(**fields) for fields in files):
        path = folder / each.name
        if not path.is_file() or hash_file(path) != each.sha256:
            raise BackupFault(text("backup.changed", name=each.name))


def _put(source: Path, target: Path) -> None:
    """Whole or not at all, for its owner alone; what is there already stays."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    partial.unlink(missing_ok=True)
    make_private(partial, target.parent)
    shutil.copyfile(source, partial)
    sync_file(partial)
    partial.rename(target)
    sync_folder(target.parent)


def _missing(listing: Path, outbox: Path) -> list[str]:
    """Files of the outbox that are not there, or have another size."""
    there = {each.path: each.size for each in published_files(outbox)}
    listed = (json.loads(line) for line in listing.read_text().splitlines())
    return [path for path, size in listed if there.get(path) != size]
