"""One scan of the inbox: is it there, which files lie in it, and which are one drop together.

Only names and the file system's own facts are read, never a file's content. Links and special
files are not followed and not taken.
"""

import asyncio
import contextlib
import os
import secrets
import stat
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from daemon.drops import UNASSIGNED, URGENT, Drop, DropKind, DroppedFile, readable
from daemon.index import ledger, queue
from daemon.index.database import Database
from daemon.intake import companion_files
from model.reading.names import is_sidecar, is_transfer, is_transfer_folder
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
RECEIVING = ".receiving"  # what the DICOM node holds until a study is complete
OURS = (".gliowatch", ".leaving-", ".rejected", ".duplicates", ".uploading", RECEIVING)
RECEIVED = b"received-"  # how the folders begin in which the DICOM node files studies
# Filed by us under the patient where they belong: by a page, or by the node.
DELIVERIES = (b"upload-", b"given-", RECEIVED)


@dataclass(frozen=True)
class NameRules:
    """Which names are never scans, and which are of files that are still being copied.

    What systems and tools make is known (`model.reading.names`); a site adds names of its own.
    """

    ignored: tuple[str, ...]
    waiting: tuple[str, ...]

    def is_ignored(self, name: bytes) -> bool:
        """Hidden names but those of transfers, what systems make, and the names of the settings."""
        text = os.fsdecode(name)
        if is_sidecar(text) or text in self.ignored:
            return True
        return text.startswith(".") and not (self.is_waiting(name) or is_transfer_folder(text))

    def is_waiting(self, name: bytes) -> bool:
        """Temporary names: the copier will rename the file when it is whole."""
        text = os.fsdecode(name)
        if text.startswith(OURS) or is_sidecar(text):
            return False
        return is_transfer(text) or (text[0] != "." and text.lower().endswith(self.waiting))

    def holds_transfers(self, folder: bytes) -> bool:
        """Whether all that lies in a folder of this name is still being copied."""
        return is_transfer_folder(os.fsdecode(folder))


@dataclass
class Listing:
    """One look through the inbox.

    unfinished: the temporary names in each folder that holds some; a folder that cannot be read
    stands there without any. unreadable: how many these are. half_gone: files on their way out,
    where a crash may have left them. ignored: names that are not looked at.
    """

    drops: dict[bytes, Drop] = field(default_factory=dict)
    unfinished: dict[bytes, tuple[DroppedFile, ...]] = field(default_factory=dict)
    unreadable: int = 0
    half_gone: list[bytes] = field(default_factory=list)
    ignored: list[bytes] = field(default_factory=list, compare=False)


@dataclass(frozen=True, slots=True)
class _Entry:
    file: DroppedFile
    folder: bytes
    name: bytes


def scan_inbox(inbox: Path, rules: NameRules) -> Listing:
    """Every drop in the inbox by its unit. OSError when the inbox itself cannot be read.

    Below a patient's folder a NIfTI file, a pair, a picture or a zip is one drop, with companions
    (see `layouts`); all other files, at any depth, are one drop, taken for DICOM: the worker,
    which opens them, tells its studies apart. A file that lies in the inbox itself belongs to
    `unassigned`, or, if it may be DICOM, is a `loose` drop of its own.
    """
    return InboxScanner(inbox, rules).scan()


SURE_SECONDS = 2.0  # a folder seen empty twice, so far apart, with the same times


class InboxScanner:
    """Scans one inbox again and again, and does not open again what was empty and is unchanged.

    Patients' folders stay when all is done, so most are empty. A hundred thousand of them take
    seconds to open, but not to ask for their times. trusts_times: not so over a network.
    """

    def __init__(self, inbox: Path, rules: NameRules, trusts_times: bool = True) -> None:
        self._root, self._rules = os.fsencode(inbox), rules
        self._trusts_times = trusts_times
        self._parts: dict[bytes, _Part] = {}  # by name in the inbox: those that hold something
        self._empty: dict[bytes, int] = {}  # surely empty as long as these are the folder's times
        self._perhaps: dict[bytes, tuple[int, float]] = {}  # seen empty once, and since when

    def scan(self, only: Collection[bytes] | None = None) -> Listing:
        """Every drop in the inbox. `only`: what held nothing before is left out, but these names.

        OSError when the inbox itself cannot be read.
        """
        listing = Listing()
        if only is None:
            self._parts = self._scan_all(listing)
        else:
            names = (n for n in {*only, *self._parts} if not self._rules.is_ignored(n))
            found = {name: _walk(self._root, name, self._rules) for name in sorted(names)}
            self._parts = {name: part for name, part in found.items() if part.holds_anything}
        return _together(listing, self._parts.values())

    def _scan_all(self, listing: Listing) -> "dict[bytes, _Part]":
        now, parts = time.monotonic(), {}
        empty: dict[bytes, int] = {}
        perhaps: dict[bytes, tuple[int, float]] = {}
        changed = []
        for entry in os.scandir(self._root):
            known = self._empty.get(entry.name) if self._trusts_times else None
            if known is not None and known == _times(entry):
                empty[entry.name] = known
            else:
                changed.append(entry)
        for entry in _worth_a_look(changed, b"", self._rules, listing):
            name, times = entry.name, _times(entry)
            part = _walk(self._root, name, self._rules)
            if not part.holds_anything:
                listing.ignored += part.listing.ignored
            if part.holds_anything:
                parts[name] = part
            elif part.is_bare and times is not None:
                seen = self._perhaps.get(name, (0, now))
                if seen[0] == times and now - seen[1] >= SURE_SECONDS:
                    empty[name] = times
                else:
                    perhaps[name] = seen if seen[0] == times else (times, now)
        self._empty, self._perhaps = empty, perhaps
        return parts

    def long_empty(self, seconds: float) -> list[bytes]:
        """Names of folders that hold nothing, and have not for so long by their own times."""
        before, found = time.time() - seconds, []
        for name in self._empty:
            with contextlib.suppress(OSError):  # it has just gone
                if os.lstat(os.path.join(self._root, name)).st_mtime < before:
                    found.append(name)
        return found


@dataclass
class _Part:
    """What lies below one name in the inbox. is_bare: a folder that holds nothing at all."""

    entries: list[_Entry] = field(default_factory=list)
    listing: Listing = field(default_factory=Listing)
    is_bare: bool = False

    @property
    def holds_anything(self) -> bool:
        return bool(self.entries) or self.listing != Listing()


def _together(listing: Listing, parts: "Iterable[_Part]") -> Listing:
    entries: list[_Entry] = []
    for part in parts:
        entries += part.entries
        listing.unreadable += part.listing.unreadable
        listing.half_gone += part.listing.half_gone
        listing.ignored += part.listing.ignored
        for folder, files in part.listing.unfinished.items():
            listing.unfinished[folder] = (*listing.unfinished.get(folder, ()), *files)
    beside, headers = _companions(entries), _headers_of_voxels(entries)
    members: dict[bytes, list[_Entry]] = {}
    for entry in entries:
        scan = beside.get(entry.file.path)
        header = headers.get(entry.file.path if scan is None else scan, scan)
        members.setdefault(_unit(entry) if header is None else header, []).append(entry)
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


def _headers_of_voxels(entries: list[_Entry]) -> dict[bytes, bytes]:
    """The path of the `.hdr` for that of its `.img`."""
    headers = {
        _stem(entry.file.path): entry.file.path for entry in entries if _is_header(entry.name)
    }
    voxels = [e.file.path for e in entries if _is_of_pair(e.name) and not _is_header(e.name)]
    return {path: headers[_stem(path)] for path in voxels if _stem(path) in headers}


def _stem(path: bytes) -> bytes:
    return os.path.splitext(path[:-3] if path.lower().endswith(b".gz") else path)[0]


def is_half(drop: Drop) -> bool:
    """Whether a drop is one file of a `.hdr` and `.img` pair, and the other has not come."""
    return sum(_is_of_pair(os.path.basename(file.path)) for file in drop.files) == 1


def _is_of_pair(name: bytes) -> bool:
    return other_half(os.fsdecode(name)) is not None


def _is_header(name: bytes) -> bool:
    return os.fsdecode(name).lower().endswith(NIFTI_HEADER_SUFFIXES)


def identify(path: bytes, facts: os.stat_result) -> DroppedFile:
    """The identity of a file below the inbox from what the file system says of it."""
    return DroppedFile(path, facts.st_size, facts.st_mtime_ns, facts.st_ino, facts.st_ctime_ns)


def _walk(root: bytes, top: bytes, rules: NameRules) -> _Part:
    """All regular files below one name; a list of folders, no recursion, however deep they nest."""
    part = _Part()
    try:
        facts = os.lstat(os.path.join(root, top))
    except OSError:  # it has just gone
        return part
    if not stat.S_ISDIR(facts.st_mode):
        _take(part, b"", top, facts, rules.is_waiting(top))
        return part
    folders, arriving = [top], {top} if rules.holds_transfers(top) else set()
    while folders:
        folder = folders.pop()
        is_arriving = folder in arriving
        below = []
        entries = _entries(root, folder, rules, part.listing)
        part.is_bare = folder == top and not entries and part.listing == Listing()
        for entry in entries:
            found = _facts(entry)
            if found is None:
                continue
            if stat.S_ISDIR(found.st_mode):
                below.append(os.path.join(folder, entry.name))
                if is_arriving or rules.holds_transfers(entry.name):
                    arriving.add(below[-1])
            else:
                waits = is_arriving or rules.is_waiting(entry.name)
                _take(part, folder, entry.name, found, waits)
        folders += reversed(below)
    return part


def _take(part: _Part, folder: bytes, name: bytes, facts: os.stat_result, waits: bool) -> None:
    """Note one name, if it is a regular file's. waits: it is still being copied."""
    if not stat.S_ISREG(facts.st_mode):
        return
    file = identify(os.path.join(folder, name), facts)
    if waits:
        others = part.listing.unfinished.get(folder, ())
        part.listing.unfinished[folder] = (*others, file)
    else:
        part.entries.append(_Entry(file, folder, name))


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
    return _worth_a_look(every, folder, rules, listing)


def _worth_a_look(
    every: "list[os.DirEntry[bytes]]", folder: bytes, rules: NameRules, listing: Listing
) -> "list[os.DirEntry[bytes]]":
    listing.half_gone += [
        os.path.join(folder, entry.name) for entry in every if entry.name.startswith(LEAVING)
    ]
    entries = []
    for entry in every:
        if not rules.is_ignored(entry.name):
            entries.append(entry)
        elif not os.fsdecode(entry.name).startswith(OURS):
            listing.ignored.append(os.path.join(folder, entry.name))
    return sorted(entries, key=lambda entry: entry.name)


def _times(entry: "os.DirEntry[bytes]") -> int | None:
    """One number that is another one once something came into the folder or left it."""
    facts = _facts(entry)
    return facts and hash((facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns))


def _facts(entry: "os.DirEntry[bytes]") -> os.stat_result | None:
    """What an entry is, a link not followed; None when it has just gone."""
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


def _companions(entries: list[_Entry]) -> dict[bytes, bytes]:
    """The unit of each file that lies beside a scan."""
    deliveries: dict[bytes, list[bytes]] = {}
    for entry in entries:
        deliveries.setdefault(_top(entry.folder), []).append(entry.file.path)
    found: dict[bytes, bytes] = {}
    for top, paths in deliveries.items():
        for path, scan in companion_files.companions(paths, top).items():
            if scan is not companion_files.OF_DICOM:
                found[path] = scan
            elif top:  # a loose DICOM file is filed alone
                found[path] = _patient_unit(top)
    return found


def _top(folder: bytes) -> bytes:
    """The patient's own folder, its URGENT, or what one of our pages filed in it."""
    parts = folder.split(b"/")
    depth = 2 if parts[1:2] == [URGENT] else 1
    if len(parts) > depth and parts[depth].startswith(DELIVERIES):
        depth += 1
    return b"/".join(parts[:depth])


def _unit(entry: _Entry) -> bytes:
    if drop_kind(entry.name) is not DropKind.DICOM or not entry.folder:
        return entry.file.path
    return _patient_unit(entry.folder)


def _patient_unit(folder: bytes) -> bytes:
    """The unit of all DICOM files of the patient below whose folder this one lies."""
    patient, *below = folder.split(b"/")
    return os.path.join(patient, URGENT) if below[:1] == [URGENT] else patient


def _drop(entry: _Entry, unit: bytes, files: tuple[DroppedFile, ...]) -> Drop:
    kind = drop_kind(entry.name)
    parts = entry.folder.split(b"/") if entry.folder else []
    if kind is DropKind.DICOM and not parts:
        kind = DropKind.LOOSE
    patient_id = readable(parts[0]) if parts else UNASSIGNED
    urgent = len(parts) > 1 and parts[1] == URGENT
    return Drop(unit, patient_id, kind, urgent, files)
