"""One scan of the inbox: is it there, which files lie in it, and which are one drop together.

Only names and the file system's own facts are read, never a file's content. Links and special
files are not followed and not taken.
"""

import asyncio
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from daemon.drops import UNASSIGNED, URGENT, Drop, DropKind, DroppedFile, readable
from daemon.index import ledger, queue
from daemon.index.database import Database
from model.rules import NIFTI_HEADER_SUFFIXES, Kind, is_archive, kind_by_name, other_half

MARK = ".gliowatch"  # in the inbox, with a number that the index knows
SWITCH = "inbox"


async def keep_mark(inbox: Path, index: Database) -> None:
    """At the start: give a new inbox its mark, or learn that of one that an index is new to.

    An inbox without it, where files should lie by the index, stays without: it is away.
    """
    number = await asyncio.to_thread(_read, inbox)
    if number is None:
        number = await queue.switch(index, SWITCH) or secrets.randbits(60) + 1
        if await ledger.open_drops(index) and await queue.switch(index, SWITCH):
            return
        await asyncio.to_thread((inbox / MARK).write_text, f"{number}\n")
    await queue.set_switch(index, SWITCH, number)


async def is_here(inbox: Path, index: Database) -> bool:
    """Whether the folder is the very inbox that the index knows."""
    number = await asyncio.to_thread(_read, inbox)
    return number is not None and number == await queue.switch(index, SWITCH)


async def is_away(inbox: Path, index: Database) -> bool:
    """Whether the index knows an inbox, and this folder is another one."""
    return bool(await queue.switch(index, SWITCH)) and not await is_here(inbox, index)


def _read(inbox: Path) -> int | None:
    try:
        return int((inbox / MARK).read_text())
    except (OSError, ValueError):
        return None


LEAVING = b".leaving-"  # before the name of a file that is on its way out
COMPANIONS = (b".json", b".bval", b".bvec", b".txt")


@dataclass(frozen=True)
class NameRules:
    """Which names are never scans, and which are of files that are still being copied."""

    ignored: tuple[str, ...]
    waiting: tuple[str, ...]

    def is_ignored(self, name: bytes) -> bool:
        """Dotfiles always, and the names of the settings."""
        return name.startswith(b".") or os.fsdecode(name) in self.ignored

    def is_waiting(self, name: bytes) -> bool:
        """Temporary names: the copier will rename the file when it is whole."""
        return os.fsdecode(name).lower().endswith(self.waiting)


@dataclass
class Listing:
    """One look through the inbox.

    unfinished: the temporary names in each folder that holds some; a folder that cannot be read
    stands there without any. unreadable: how many these are. half_gone: files on their way out,
    where a crash may have left them.
    """

    drops: dict[bytes, Drop] = field(default_factory=dict)
    unfinished: dict[bytes, tuple[DroppedFile, ...]] = field(default_factory=dict)
    unreadable: int = 0
    half_gone: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class _Entry:
    file: DroppedFile
    folder: bytes
    name: bytes


def scan_inbox(inbox: Path, rules: NameRules) -> Listing:
    """Every drop in the inbox by its unit. OSError when the inbox itself cannot be read.

    Below a patient's folder a NIfTI file or pair, a picture or a zip is one drop, with the text
    files of its name beside it (`scan.json` of `scan.nii.gz`); all other files, at any depth,
    are one drop, taken for DICOM: the worker, which opens them, tells its studies apart. A file
    that lies in the inbox itself belongs to `unassigned`, or, if it may be DICOM, is a `loose`
    drop of its own.
    """
    listing = Listing()
    entries = list(_walk(os.fsencode(inbox), rules, listing))
    headers = {_stem(entry): entry for entry in entries if _is_header(entry.name)}
    owners = {_stem(entry): entry for entry in entries if _may_have_companions(entry)} | headers
    members: dict[bytes, list[_Entry]] = {}
    for entry in entries:
        owner = entry
        if _is_companion(entry):
            owner = owners.get(_stem(entry), entry)
        elif _is_of_pair(entry.name) and not _is_header(entry.name):
            owner = headers.get(_stem(entry), entry)
        members.setdefault(_unit(owner), []).append(entry)
    for unit, group in members.items():
        main = next((entry for entry in group if _unit(entry) == unit), group[0])
        files = tuple(sorted(entry.file for entry in group))
        listing.drops[unit] = _drop(main, unit, files)
    return listing


def drop_kind(name: bytes) -> DropKind:
    """What a file below a patient's folder is by its name."""
    text = os.fsdecode(name)
    if is_archive(text):
        return DropKind.ZIP
    kinds = {Kind.NIFTI: DropKind.NIFTI, Kind.IMAGE: DropKind.IMAGE, Kind.DICOM: DropKind.DICOM}
    return kinds[kind_by_name(text)]


def is_half(drop: Drop) -> bool:
    """Whether a drop is one file of a `.hdr` and `.img` pair, and the other has not come."""
    return sum(_is_of_pair(os.path.basename(file.path)) for file in drop.files) == 1


def _is_of_pair(name: bytes) -> bool:
    return other_half(os.fsdecode(name)) is not None


def _is_header(name: bytes) -> bool:
    return os.fsdecode(name).lower().endswith(NIFTI_HEADER_SUFFIXES)


def identify(path: bytes, facts: os.stat_result) -> DroppedFile:
    """The identity of a file below the inbox from what the file system says of it."""
    return DroppedFile(path, facts.st_size, facts.st_mtime_ns, facts.st_ino)


def _walk(root: bytes, rules: NameRules, listing: Listing) -> Iterator[_Entry]:
    """All regular files; a list of folders instead of recursion, however deep they nest."""
    folders = [b""]
    while folders:
        folder = folders.pop()
        below = []
        for entry in _entries(root, folder, rules, listing):
            path = os.path.join(folder, entry.name)
            facts = _facts(entry)
            if facts is None:
                continue
            if stat.S_ISDIR(facts.st_mode):
                below.append(path)
            elif stat.S_ISREG(facts.st_mode) and rules.is_waiting(entry.name):
                waits = listing.unfinished.get(folder, ())
                listing.unfinished[folder] = (*waits, identify(path, facts))
            elif stat.S_ISREG(facts.st_mode):
                yield _Entry(identify(path, facts), folder, entry.name)
        folders += reversed(below)


def _entries(
    root: bytes, folder: bytes, rules: NameRules, listing: Listing
) -> "list[os.DirEntry[bytes]]":
    """A folder's entries that may matter, by name."""
    try:
        every = list(os.scandir(os.path.join(root, folder)))
    except OSError:
        if not folder:
            raise
        listing.unreadable += 1  # it just went away, may not be read, or lies too deep
        listing.unfinished.setdefault(folder, ())
        return []
    listing.half_gone += [
        os.path.join(folder, entry.name) for entry in every if entry.name.startswith(LEAVING)
    ]
    entries = [entry for entry in every if not rules.is_ignored(entry.name)]
    return sorted(entries, key=lambda entry: entry.name)


def _facts(entry: "os.DirEntry[bytes]") -> os.stat_result | None:
    """What an entry is, a link not followed; None when it has just gone."""
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


def _may_have_companions(entry: _Entry) -> bool:
    return drop_kind(entry.name) in (DropKind.NIFTI, DropKind.IMAGE)


def _is_companion(entry: _Entry) -> bool:
    return entry.name.lower().endswith(COMPANIONS)


def _stem(entry: _Entry) -> bytes:
    """Path without the ending: what a scan and the text files beside it have in common."""
    name = entry.name[:-3] if entry.name.lower().endswith(b".gz") else entry.name
    return os.path.join(entry.folder, os.path.splitext(name)[0])


def _unit(entry: _Entry) -> bytes:
    if drop_kind(entry.name) is not DropKind.DICOM or not entry.folder:
        return entry.file.path
    patient, *below = entry.folder.split(b"/")
    return os.path.join(patient, URGENT) if below[:1] == [URGENT] else patient


def _drop(entry: _Entry, unit: bytes, files: tuple[DroppedFile, ...]) -> Drop:
    kind = drop_kind(entry.name)
    parts = entry.folder.split(b"/") if entry.folder else []
    if kind is DropKind.DICOM and not parts:
        kind = DropKind.LOOSE
    patient_id = readable(parts[0]) if parts else UNASSIGNED
    urgent = len(parts) > 1 and parts[1] == URGENT
    return Drop(unit, patient_id, kind, urgent, files)
