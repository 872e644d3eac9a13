"""`gliowatch verify --rebuild`: the index made again from outbox and inbox, the old one kept."""

import asyncio
import logging
import os
import secrets
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from daemon.drops import DropKind, State, readable
from daemon.index.database import Database, is_damaged, now, open_unfinished
from daemon.index.found_results import (
    EndedDrop,
    FoundResult,
    derive_lists,
    enter_ended,
    enter_results,
    put_triggers_aside,
    put_triggers_back,
    scan_with_file,
)
from daemon.index.inventory import HeldFile, enter_scan, held_folders
from daemon.index.patient_scans import queue_all_stale
from daemon.index.scans import patient_ids, row_of_report
from daemon.intake.cleanup import REASON, REJECTED
from daemon.intake.inbox_scan import drop_kind, identify, keep_mark
from daemon.intake.ingest import hash_file
from daemon.operations.retention import REMOVED, removed_results
from daemon.operations.verify import aside_files
from daemon.outputs.catalogue import text
from daemon.outputs.manifest import KnownFile, from_column
from daemon.pipeline.outbox import (
    hashes_of,
    published_folders,
    report_in,
    revision_folder,
    source_files,
)
from daemon.report import Report
from daemon.report_parts import Scanner
from daemon.safe_files import only_one, sync_folder
from daemon.settings import DaemonSettings, Settings
from model.reading.dicom.patient_tags import Named, named_in

log = logging.getLogger(__name__)

MANY = 250  # results a transaction
READERS = 2  # processes that read and hash results
SAY_SECONDS = 2.0


@dataclass(frozen=True)
class Rebuilt:
    """How much was found; old: where the index before it lies, if there was one."""

    results: int
    unreadable: int
    aside: int
    old: Path | None


Progress = Callable[[int, int], object]  # so many folders entered, of so many


def rebuild_visibly(settings: Settings, say: Callable[[str], object]) -> None:
    """Rebuild and say what was found. Raises AlreadyRunning while a daemon runs."""
    shown = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown > SAY_SECONDS:
            shown = time.monotonic()
            say(f"Entered {done} of {total} results.")

    with only_one(settings.daemon.index):
        found = asyncio.run(rebuild(settings.daemon, show if sys.stderr.isatty() else _silent))
    say(f"Entered again: {found.results} results, {found.aside} files that were set aside.")
    if found.unreadable:
        say(f"Without a report that can be read: {found.unreadable} folders of the outbox.")
    if found.old:
        say(f"The index before it is kept as {found.old.name}.")


def _silent(done: int, total: int) -> None:
    """Nobody watches."""


async def rebuild(daemon: DaemonSettings, progress: Progress = _silent) -> Rebuilt:
    """Make the index anew; the caller holds the lock.

    It grows beside, under a name of its own, and gets the index's name when all of it is there:
    half of one is never taken for a whole one, and the next try goes on where this one ended.
    What waits in the inbox is found by the next look of the daemon.
    """
    old, unfinished = put_away(daemon.index), unfinished_file(daemon.index)
    if await asyncio.to_thread(is_damaged, unfinished):
        clear_unfinished(daemon.index)
    async with open_unfinished(unfinished) as index:
        await keep_mark(daemon.inbox, index)
        await put_triggers_aside(index)
        results, unreadable = await _enter_results(index, daemon, progress)
        await derive_lists(index)
        with TemporaryDirectory(dir=daemon.index.parent) as scratch:
            async with open_unfinished(Path(scratch, "index")) as whole:
                await put_triggers_back(index, whole)
        await _enter_removed(index, daemon.outbox)
        drops = await asyncio.to_thread(lambda: list(_set_aside(daemon.inbox)))
        await enter_ended(index, [await _with_scan(index, drop) for drop in drops])
        await queue_all_stale(index, await patient_ids(index))
    put_away(daemon.index)  # an empty one that another program made meanwhile
    unfinished.rename(daemon.index)
    sync_folder(daemon.index.parent)
    aside = sum(len(drop.files) for drop in drops)
    log.warning("rebuilt", extra={"results": results, "unreadable": unreadable, "aside": aside})
    return Rebuilt(results, unreadable, aside, old)


def unfinished_file(index: Path) -> Path:
    """Where an index grows while it is being made again."""
    return index.with_name(f"{index.name}.unfinished")


def clear_unfinished(index: Path) -> None:
    """What an earlier rebuild left is of no use beside an index that is whole."""
    for ending in ("-wal", "-shm", ""):
        file = unfinished_file(index)
        file.with_name(file.name + ending).unlink(missing_ok=True)


async def _enter_results(
    index: Database, daemon: DaemonSettings, progress: Progress
) -> tuple[int, int]:
    """Every result of the outbox that is not entered yet; how many are, and cannot be read."""
    folders = await asyncio.to_thread(lambda: list(published_folders(daemon.outbox)))
    known = await held_folders(index)
    new = [folder for folder in folders if folder not in known]
    done, unreadable = len(known), 0
    async for found in _read(daemon, new):
        await enter_results(index, [each for each in found if each is not None])
        done, unreadable = done + len(found), unreadable + found.count(None)
        progress(done, len(folders))
    return len(folders) - unreadable, unreadable


async def _read(
    daemon: DaemonSettings, folders: list[bytes]
) -> AsyncIterator[list[FoundResult | None]]:
    """What lies in these folders, so many at a time; where there are many, by several processes."""
    loop, ahead = asyncio.get_running_loop(), deque[asyncio.Future[list[FoundResult | None]]]()
    is_long = len(folders) > MANY
    with ProcessPoolExecutor(READERS, get_context("spawn")) if is_long else nullcontext() as pool:
        for first in range(0, len(folders), MANY):
            some = folders[first : first + MANY]
            ahead.append(loop.run_in_executor(pool, _found_in, daemon, some))
            if len(ahead) > 2 * READERS:
                yield await ahead.popleft()
        while ahead:
            yield await ahead.popleft()


def _found_in(daemon: DaemonSettings, folders: list[bytes]) -> list[FoundResult | None]:
    return [_found(daemon, folder) for folder in folders]


def _found(daemon: DaemonSettings, name: bytes) -> FoundResult | None:
    """A folder of the outbox as the index keeps it; None if its report cannot be read.

    Without its drop where a file still lies in the inbox under the same name: a crash came before
    that was taken away, so the next look finds the drop itself, which the result is then known of.
    """
    folder = daemon.outbox / os.fsdecode(name)
    report = report_in(folder)
    if report is None:
        return None
    written, patient = _written_at(report, folder), os.path.dirname(name)
    hashes = hashes_of(folder)
    files = _sources(folder, patient, report, from_column(hashes) if hashes else {})
    drop = None
    if files and not any((daemon.inbox / os.fsdecode(f.file.path)).exists() for f in files):
        drop = EndedDrop(
            unit=files[0].file.path if report.input.kind != "dicom" else patient,
            patient_id=readable(patient),
            kind=_kind(report, files),
            state=State.DONE,
            scan_id=report.scan_id,
            reason=None,
            ended_at=written,
            files=tuple(files),
        )
    scan = row_of_report(report, name, written, hashes)
    is_analyzed = (report.judged_revision or report.revision) == report.revision
    seconds = report.seconds.by_step() if is_analyzed else None
    named = _named(folder, report)
    scan = replace(scan, scanner=_scanner_name(report, named))
    return FoundResult(scan, seconds, _dicom_ids(folder, report, named), drop)


async def enter_unknown(daemon: DaemonSettings, index: Database) -> None:
    """After a crash: results that lie in the outbox, and whose commit never came, or was lost."""
    known = await held_folders(index)
    for name in await asyncio.to_thread(lambda: list(published_folders(daemon.outbox))):
        folder = daemon.outbox / os.fsdecode(name)
        report = None if name in known else report_in(folder)
        if report is not None:
            scan = row_of_report(report, name, _written_at(report, folder), hashes_of(folder))
            named = await asyncio.to_thread(_named, folder, report)
            await enter_scan(index, scan, _dicom_ids(folder, report, named))
            await queue_all_stale(index, [scan.patient_id])
            log.warning("entered_again", extra={"scan": report.scan_id})


def put_away(database: Path) -> Path | None:
    """Rename a database with its log files to a name of its own; None if there is none."""
    if not database.exists():
        return None
    stamp = now()[:19].replace(":", "")
    old = database.with_name(f"{database.name}.before-{stamp}-{secrets.token_hex(2)}")
    for ending in ("-wal", "-shm", ""):
        part = database.with_name(database.name + ending)
        if part.exists():
            part.rename(old.with_name(old.name + ending))
    return old


async def _enter_removed(index: Database, outbox: Path) -> None:
    """What retention has removed, unless the same scan came again and is there."""
    there = {scan_id for scan_id, _ in (await held_folders(index)).values()}
    for gone in removed_results(outbox):
        if gone.report is not None and gone.report.scan_id not in there:
            written = _written_at(gone.report, outbox / REMOVED / os.fsdecode(gone.folder))
            scan = row_of_report(gone.report, gone.folder, written)
            await enter_scan(index, replace(scan, removed_at=now()), ())


def _named(folder: Path, report: Report) -> Named:
    """What the headers of its files tell; nothing where that is wanted of the next revision."""
    if _is_superseded(folder, report) and not (report.revision == 1 and _lacks_scanner(report)):
        return Named()
    return named_in(source_files(folder) if report.input.kind == "dicom" else [])


def _dicom_ids(folder: Path, report: Report, named: Named) -> tuple[str, ...]:
    if _is_superseded(folder, report):
        return ()  # the next revision tells, perhaps with a correction
    return tuple(identity.patient_id for identity in named.identities)


def _is_superseded(folder: Path, report: Report) -> bool:
    following = revision_folder(b"", report.scan_id, report.revision + 1).name
    return folder.with_name(following).is_dir()


def _lacks_scanner(report: Report) -> bool:
    """Whether it may be from before scanners stood in reports."""
    return report.input.study is not None and report.input.study.scanner is None


def _scanner_name(report: Report, named: Named) -> str:
    """The scanner of a study by its report, or else by the headers of its files."""
    study = report.input.study
    if study is None:
        return ""
    told = [each.scanner for each in named.studies if each.uid == study.uid and each.scanner]
    if told and _lacks_scanner(report):
        study = study.changed(scanner=Scanner(**asdict(told[0])))
    return study.scanner_name


def _written_at(report: Report, folder: Path) -> str:
    """When a result was published, as far as its report's file tells: UTC, ISO 8601."""
    seconds = (folder / f"{report.scan_id}_report.json").stat().st_mtime
    return _moment(seconds)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _sources(
    folder: Path, patient: bytes, report: Report, hashes: Mapping[str, KnownFile]
) -> list[HeldFile]:
    """The files that this revision brought; links to an earlier one's are of that one."""
    earlier = folder.with_name(_earlier_name(report))
    before = {path.stat().st_ino for path in source_files(earlier)} if earlier != folder else set()
    held = []
    for path in source_files(folder):
        facts = path.stat()
        if facts.st_ino in before:
            continue
        name = os.path.join(patient, os.fsencode(path.relative_to(folder / "source")))
        file = identify(name, facts)
        known = hashes.get(str(path.relative_to(folder)))
        held.append(
            HeldFile(
                file=file,
                state=State.DONE,
                scan_id=report.scan_id,
                sha256=known.sha256 if known else hash_file(path),
                in_inbox=False,
                aside=None,
            )
        )
    return held


def _earlier_name(report: Report) -> str:
    supersedes = report.supersedes or 1
    return report.scan_id + (f"-r{supersedes}" if supersedes > 1 else "")


def _kind(report: Report, files: list[HeldFile]) -> DropKind:
    if drop_kind(os.path.basename(files[0].file.path)) is DropKind.ZIP:
        return DropKind.ZIP
    return DropKind(report.input.kind)


def _set_aside(inbox: Path) -> Iterator[EndedDrop]:
    """What lies aside: each file is a drop of its own, but DICOM files of one patient are one.

    They were one drop, or several for the same reason: that is as much as the disk tells.
    """
    root, together = os.fsencode(inbox), dict[tuple[bytes, State, str | None], list[HeldFile]]()
    for aside in aside_files(inbox):
        path, here = aside.split(b"/", 1)[1], os.path.join(root, aside)
        state = State.REJECTED if aside.startswith(REJECTED) else State.DUPLICATE
        digest = hash_file(Path(os.fsdecode(here))) if state is State.DUPLICATE else None
        held = HeldFile(
            file=identify(path, os.lstat(here)),
            state=state,
            scan_id=None,
            sha256=digest,
            in_inbox=False,
            aside=aside,
        )
        is_dicom = drop_kind(os.path.basename(path)) is DropKind.DICOM
        unit = path.split(b"/")[0] if is_dicom else path
        reason = _reason(here) if state is State.REJECTED else None
        together.setdefault((unit, state, reason), []).append(held)
    for (unit, state, reason), files in together.items():
        ended = max(held.file.ctime_ns for held in files)  # when they were moved aside
        yield EndedDrop(
            unit=unit,
            patient_id=readable(unit.split(b"/")[0]),
            kind=drop_kind(os.path.basename(files[0].file.path)),
            state=state,
            scan_id=None,
            reason=reason,
            ended_at=_moment(ended / 1e9),
            files=tuple(files),
        )


async def _with_scan(index: Database, drop: EndedDrop) -> EndedDrop:
    """A duplicate with the scan that it doubles, where that was made of the same bytes."""
    first = drop.files[0].sha256
    if first is None:
        return drop
    scan_id = await scan_with_file(index, drop.patient_id, first)
    return replace(drop, scan_id=scan_id)


def _reason(here: bytes) -> str:
    try:
        with open(here + REASON, encoding="utf-8") as stream:
            return stream.read().strip() or text("intake.reason_lost")
    except (OSError, UnicodeDecodeError):
        return text("intake.reason_lost")
