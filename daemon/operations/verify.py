"""`gliowatch verify`: every file ever dropped, compared with inbox, index, outbox and audit."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from daemon.destinations.send_status import counts_words
from daemon.dicom_node.staging import Received, count_received
from daemon.drops import SOURCE, DroppedFile, State, readable
from daemon.index.database import Database, newest_entry_of, open_records
from daemon.index.inventory import HeldFile, faults_of, held_files, held_folders
from daemon.index.people.audit import first_wrong, hash_of_entry
from daemon.index.people.corrections import Correction, all_corrections
from daemon.index.result_files import result_files
from daemon.index.sent_objects import DestinationCounts, count_sent
from daemon.intake.cleanup import DUPLICATES, REASON, REJECTED
from daemon.intake.inbox_scan import Listing, NameRules, identify, is_away, scan_inbox
from daemon.intake.ingest import hash_file
from daemon.intake.uploads import count_staged
from daemon.operations.backup import copies_in
from daemon.operations.full_check import check_all, told
from daemon.operations.retention import REMOVED, removed_results
from daemon.outputs.manifest import compare_files, from_column
from daemon.pipeline.extra_objects import faults_in
from daemon.pipeline.lost_index import open_known_index
from daemon.pipeline.outbox import files_beside, published_results, scan_of, source_files
from daemon.records.corrections import file_of, kept_files
from daemon.settings import DaemonSettings, Settings


async def faults_of_audit(records: Database, settings: DaemonSettings) -> list[str]:
    """What is wrong, in sentences; none if all is well.

    The nightly copies are compared too: entries that were cut off at the end stand in them.
    """
    wrong = await first_wrong(records)
    if wrong is not None:
        return [f"Entry {wrong} of the audit does not follow from those before it."]
    for copy in copies_in(settings.copies):
        newest = newest_entry_of(copy.path)
        if newest is None:
            continue
        number, its_hash = newest
        if await hash_of_entry(records, number) != its_hash:
            return [f"Entry {number} of the audit is another one in a copy of the records."]
    return []


INBOX_AWAY = (
    "The inbox is not the folder that the index knows: is it unmounted? If it was made anew on"
    " purpose, gliowatch verify --rebuild makes them agree."
)
MOST_NAMED = 20
SAY_SECONDS = 2.0  # between two lines that tell how far it is
SETTLE_SECONDS = 3.0  # a running daemon may just be moving what was found out of place


@dataclass(frozen=True, order=True)
class Difference:
    """One thing that is not as it should be; place: a path below inbox or outbox."""

    code: str
    place: str
    message: str


@dataclass(frozen=True)
class Account:
    """files: how many in each state, with those not seen yet or that wait by their names.

    ignored: names in the inbox that are never looked at, since systems and tools make them. sent:
    what went to each archive.
    """

    files: dict[str, int]
    differences: tuple[Difference, ...]
    ignored: tuple[str, ...] = ()
    hashed_late: int = 0
    sent: tuple[DestinationCounts, ...] = ()


def verify_visibly(
    settings: Settings, as_json: bool, say: Callable[[str], object], full: bool = False
) -> int:
    """Print the account; 1 on any difference, else 0. full: every result is read whole."""
    account = asyncio.run(verify(settings, full))
    if as_json:
        say(json.dumps(asdict(account), indent=1))
    else:
        say(", ".join(f"{name} {count}" for name, count in account.files.items()))
        for each_to in account.sent:
            say(counts_words(each_to))
        if account.ignored:
            say("ignored, as systems and tools make such names:")
            for name in account.ignored[:MOST_NAMED]:
                say(f"  {name}")
            if len(account.ignored) > MOST_NAMED:
                say(f"  and {len(account.ignored) - MOST_NAMED} more")
        for each in account.differences:
            say(f"{each.code}: {each.place}: {each.message}")
        if account.hashed_late:
            say(f"Results from before hashes were kept, hashed now: {account.hashed_late}.")
        if not account.differences:
            say("Inbox, index and outbox agree.")
    return 1 if account.differences else 0


async def verify(settings: Settings, full: bool = False) -> Account:
    """Compare; what was found is looked at twice, since a daemon may be at work meanwhile.

    full: every file of every result is read too; else those alone whose time is another one.
    """
    differ, late = await _read_whole(settings.daemon) if full else ([], 0)
    account = await _compare(settings)
    lasting = set(account.differences)
    if lasting:
        await asyncio.sleep(SETTLE_SECONDS)
        account = await _compare(settings)
        lasting &= set(account.differences)
    differences = tuple(sorted(lasting | set(differ)))
    return replace(account, differences=differences, hashed_late=late)


async def _read_whole(daemon: DaemonSettings) -> tuple[list[Difference], int]:
    shown = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal shown
        if sys.stderr.isatty() and time.monotonic() - shown > SAY_SECONDS:
            shown = time.monotonic()
            sys.stderr.write(f"Read {done} of {total} results.\n")

    async with open_known_index(daemon) as index:
        differ, late = await check_all(daemon, index, show)
    return [Difference(*each) for each in differ], late


async def _compare(settings: Settings) -> Account:
    daemon = settings.daemon
    rules = NameRules(daemon.ignore_names, daemon.wait_suffixes)
    async with open_known_index(daemon) as index, open_records(daemon.records) as records:
        faults = [
            Difference("damaged_database", name, fault)
            for name, database in (("index", index), ("records", records))
            for fault in await faults_of(database)
        ]
        audit = await faults_of_audit(records, daemon)
        held, folders = await held_files(index), await held_folders(index)
        hashes = {each.folder: each.files for each in await result_files(index) if each.files}
        corrections = await all_corrections(records)
        sent = await count_sent(index, [to.name for to in settings.receivers])
        away = bool(held) and await is_away(daemon.inbox, index)
    listing = await asyncio.to_thread(scan_inbox, daemon.inbox, rules)
    differences = [
        *faults,
        *(Difference("audit_changed", "records", fault) for fault in audit),
        *([Difference("inbox_away", "", INBOX_AWAY)] if away else []),
        *_of_inbox(daemon.inbox, held),
        *await asyncio.to_thread(_of_outbox, daemon.outbox, held, folders, hashes),
        *_of_aside(daemon.inbox, held),
        *await asyncio.to_thread(_of_corrections, daemon.outbox, corrections),
        *await asyncio.to_thread(_of_extra, daemon.outbox),
    ]
    not_sent = await asyncio.to_thread(count_staged, daemon.inbox)
    received = await asyncio.to_thread(count_received, daemon.inbox)
    files = _counted(held, listing, received) | {"not_sent_yet": not_sent}
    ignored = tuple(readable(path) for path in sorted(listing.ignored))
    return Account(files, tuple(sorted(set(differences))), ignored, sent=tuple(sent))


def _counted(held: list[HeldFile], listing: Listing, received: Received) -> dict[str, int]:
    """What the DICOM node took waits until its study is complete; its halves are temporary."""
    counts = Counter(each.state for each in held)
    known = {each.file.path for each in held if each.in_inbox}
    unseen = [f for drop in listing.drops.values() for f in drop.files if f.path not in known]
    temporary = sum(len(files) for files in listing.unfinished.values())
    counts[State.WAITING] += received.whole
    temporary += received.arriving
    told = {str(state): counts[state] for state in State}
    names = {"temporary_names": temporary, "ignored_names": len(listing.ignored)}
    return told | {"not_seen_yet": len(unseen)} | names


def _of_inbox(inbox: Path, held: list[HeldFile]) -> Iterable[Difference]:
    """What waits must lie there as it was seen."""
    for each in held:
        if each.state in (State.WAITING, State.RUNNING) and not _is_there(inbox, each):
            place = readable(each.file.path)
            yield Difference("not_in_inbox", place, "It is waiting, but is gone or changed.")


def _is_there(inbox: Path, held: HeldFile) -> bool:
    path = os.path.join(os.fsencode(inbox), held.file.path)
    try:
        return identify(held.file.path, os.lstat(path)).looks == held.file.looks
    except OSError:
        return False


def _of_outbox(
    outbox: Path,
    held: list[HeldFile],
    folders: dict[bytes, tuple[str, int]],
    hashes: dict[bytes, str],
) -> Iterable[Difference]:
    """Every result is known and whole, and what was done lies in one, byte for byte.

    hashes: what the index keeps of each folder's files; older results have none.
    """
    found: set[bytes] = set()
    kept: dict[str, set[str]] = {}
    differences = []
    for published in published_results(outbox):
        place, known = readable(published.folder), folders.get(published.folder)
        found.add(published.folder)
        report = published.report
        if report is None:
            differences.append(Difference("damaged_result", place, "It has no report to read."))
        elif known is None:
            differences.append(Difference("unknown_result", place, "Not in the index."))
        elif known != (report.scan_id, report.revision):
            differences.append(
                Difference("other_result", place, "Its report belongs to another scan.")
            )
        here = outbox / os.fsdecode(published.folder)
        sources = kept.setdefault(scan_of(here), set())
        if published.folder not in hashes:
            sources.update(hash_file(path) for path in source_files(here))
            continue
        known_hashes = from_column(hashes[published.folder])
        compared = compare_files(here, known_hashes, whole=False)
        differences += [Difference(*each) for each in told(published.folder, compared)]
        sources.update(
            known_hashes[name].sha256 for name in compared.same if name.startswith(f"{SOURCE}/")
        )
    for key, beside in files_beside(outbox).items():
        kept.setdefault(key, set()).update(hash_file(path) for path in beside)
    removed = {gone.folder for gone in removed_results(outbox)}
    for folder in folders.keys() - found - removed:
        differences.append(Difference("no_result", readable(folder), "It was published, but gone."))
    went = {scan_of(Path(os.fsdecode(folder))) for folder in removed}
    return [*differences, *_of_done([each for each in held if each.scan_id not in went], kept)]


def _of_done(held: list[HeldFile], kept: dict[str, set[str]]) -> Iterable[Difference]:
    for each in held:
        if each.state is State.DONE and each.sha256 not in kept.get(each.scan_id or "", set()):
            place = readable(each.file.path)
            yield Difference("not_in_source", place, "It is done, but no result holds it.")


def _of_aside(inbox: Path, held: list[HeldFile]) -> Iterable[Difference]:
    """What was set aside lies there, and nothing lies there that nobody set aside.

    A file that has left the inbox, and of which nobody noted where to, is known by itself: a crash
    came between, or a very early version did not note it. The next run does.
    """
    root = os.fsencode(inbox)
    known = {each.aside for each in held if each.aside}
    left = {_looks(each.file) for each in held if _has_left_unnoted(each)}
    for each in held:
        if each.aside and not os.path.lexists(os.path.join(root, each.aside)):
            yield Difference("not_aside", readable(each.aside), "It was set aside, but is gone.")
    for path in aside_files(inbox):
        if path in known:
            continue
        with contextlib.suppress(FileNotFoundError):  # it has just gone
            if _looks(identify(path, os.lstat(os.path.join(root, path)))) not in left:
                yield Difference("unknown_aside", readable(path), "Unknown origin.")


def _has_left_unnoted(held: HeldFile) -> bool:
    is_to_be_aside = held.state in (State.REJECTED, State.DUPLICATE)
    return is_to_be_aside and held.in_inbox and held.aside is None


def _looks(file: DroppedFile) -> tuple[int, int, int]:
    """What tells a file wherever it lies."""
    return file.inode, file.size, file.mtime_ns


def _of_corrections(outbox: Path, corrections: list[Correction]) -> list[Difference]:
    """Each corrected mask on record is kept byte for byte, and no other is.

    Those of a scan that retention removed went with it.
    """
    went = {scan_of(Path(os.fsdecode(g.folder))) for g in published_results(outbox / REMOVED)}
    differences = []
    for each in corrections:
        path = file_of(outbox, each)
        whole = path.is_file() and hash_file(path) == each.sha256
        if not whole and each.scan_id not in went:
            message = "A corrected mask is on record; its file is gone or changed."
            differences.append(Difference("no_correction", each.scan_id, message))
    known = {file_of(outbox, each) for each in corrections}
    for path in kept_files(outbox):
        if path not in known:
            message = "There is no record of this corrected mask: its upload was cut off."
            place = str(path.relative_to(outbox))
            differences.append(Difference("unknown_correction", place, message))
    return differences


def _of_extra(outbox: Path) -> list[Difference]:
    """Each DICOM object beside a result, of a review or a rejected study, is what was written."""
    return [Difference("extra_object", each.place, each.message) for each in faults_in(outbox)]


def aside_files(inbox: Path) -> list[bytes]:
    """Paths below the inbox of all files that were set aside, without their reasons."""
    root, found = os.fsencode(inbox), []
    for place in (REJECTED, DUPLICATES):
        for folder, _, names in os.walk(os.path.join(root, place)):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), root)
                if not (path.startswith(REJECTED) and name.endswith(REASON)):
                    found.append(path)
    return sorted(found)
