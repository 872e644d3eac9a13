"""`gliowatch verify --rebuild`: the index made again from outbox and inbox, the old one kept."""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from daemon.drops import DropKind, State, readable
from daemon.index.database import Database, now, open_index
from daemon.index.inventory import EndedDrop, HeldFile, enter_ended, enter_scan, held_folders
from daemon.index.patient_scans import queue_all_stale
from daemon.index.scans import patient_ids, row_of_report
from daemon.intake.cleanup import REASON, REJECTED
from daemon.intake.inbox_scan import drop_kind, identify, keep_mark
from daemon.intake.ingest import hash_file
from daemon.operations.retention import REMOVED, removed_results
from daemon.operations.verify import aside_files
from daemon.outputs.catalogue import text
from daemon.pipeline.outbox import Published, published_results, revision_folder, source_files
from daemon.report import Report
from daemon.safe_files import only_one
from daemon.settings import DaemonSettings, Settings
from model.reading.dicom.patient_tags import named_in

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rebuilt:
    """How much was found; old: where the index before it lies, if there was one."""

    results: int
    unreadable: int
    aside: int
    old: Path | None


def rebuild_visibly(settings: Settings, say: Callable[[str], object]) -> None:
    """Rebuild and say what was found. Raises AlreadyRunning while a daemon runs."""
    with only_one(settings.daemon.index):
        found = asyncio.run(rebuild(settings.daemon))
    say(f"Entered again: {found.results} results, {found.aside} files that were set aside.")
    if found.unreadable:
        say(f"Without a report that can be read: {found.unreadable} folders of the outbox.")
    if found.old:
        say(f"The index before it is kept as {found.old.name}.")


async def rebuild(daemon: DaemonSettings) -> Rebuilt:
    """Make the index anew; the caller holds the lock. What waits in the inbox is found by the
    next look of the daemon."""
    old = put_away(daemon.index)
    results = unreadable = aside = 0
    async with open_index(daemon.index) as index:
        await keep_mark(daemon.inbox, index)
        for published in published_results(daemon.outbox):
            if published.report is None:
                unreadable += 1
                continue
            await _enter_result(index, daemon.outbox, published, published.report)
            results += 1
        await _enter_removed(index, daemon.outbox)
        for drop in _set_aside(daemon.inbox):
            await enter_ended(index, drop)
            aside += 1
        await queue_all_stale(index, await patient_ids(index))
    log.warning("rebuilt", extra={"results": results, "unreadable": unreadable, "aside": aside})
    return Rebuilt(results, unreadable, aside, old)


async def enter_unknown(daemon: DaemonSettings, index: Database) -> None:
    """After a crash: results that lie in the outbox, and whose commit never came, or was lost."""
    known = await held_folders(index)
    for published in await asyncio.to_thread(list, published_results(daemon.outbox)):
        if published.folder not in known and published.report is not None:
            folder = daemon.outbox / os.fsdecode(published.folder)
            await _enter_scan(index, folder, published.folder, published.report)
            await queue_all_stale(index, [readable(os.path.dirname(published.folder))])
            log.warning("entered_again", extra={"scan": published.report.scan_id})


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


async def _enter_result(
    index: Database, outbox: Path, published: Published, report: Report
) -> None:
    folder = outbox / os.fsdecode(published.folder)
    patient = os.path.dirname(published.folder)
    await _enter_scan(index, folder, published.folder, report)
    files = await asyncio.to_thread(_sources, folder, patient, report)
    if files:
        unit = files[0].file.path if report.input.kind != "dicom" else patient
        kind = _kind(report, files)
        drop = EndedDrop(
            unit=unit,
            patient_id=readable(patient),
            kind=kind,
            state=State.DONE,
            scan_id=report.scan_id,
            reason=None,
            files=tuple(files),
        )
        await enter_ended(index, drop)


async def _enter_removed(index: Database, outbox: Path) -> None:
    """What retention has removed, unless the same scan came again and is there."""
    there = {scan_id for scan_id, _ in (await held_folders(index)).values()}
    for gone in removed_results(outbox):
        if gone.report is not None and gone.report.scan_id not in there:
            written = _written_at(gone.report, outbox / REMOVED / os.fsdecode(gone.folder))
            scan = row_of_report(gone.report, gone.folder, written)
            await enter_scan(index, replace(scan, removed_at=now()), ())


async def _enter_scan(index: Database, folder: Path, name: bytes, report: Report) -> None:
    paths = source_files(folder) if report.input.kind == "dicom" else []
    named = await asyncio.to_thread(named_in, paths)
    dicom_ids = [identity.patient_id for identity in named.identities]
    if folder.with_name(revision_folder(b"", report.scan_id, report.revision + 1).name).is_dir():
        dicom_ids = []  # the next revision tells, perhaps with a correction
    await enter_scan(index, row_of_report(report, name, _written_at(report, folder)), dicom_ids)


def _written_at(report: Report, folder: Path) -> str:
    """When a result was published, as far as its report's file tells: UTC, ISO 8601."""
    seconds = (folder / f"{report.scan_id}_report.json").stat().st_mtime
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _sources(folder: Path, patient: bytes, report: Report) -> list[HeldFile]:
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
        held.append(
            HeldFile(
                file=file,
                state=State.DONE,
                scan_id=report.scan_id,
                sha256=hash_file(path),
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
    """Each file that lies aside as a drop of its own."""
    root = os.fsencode(inbox)
    for aside in aside_files(inbox):
        path = aside.split(b"/", 1)[1]
        here = os.path.join(root, aside)
        state = State.REJECTED if aside.startswith(REJECTED) else State.DUPLICATE
        file = identify(path, os.lstat(here))
        held = HeldFile(
            file=file, state=state, scan_id=None, sha256=None, in_inbox=False, aside=aside
        )
        reason = _reason(here) if state is State.REJECTED else None
        kind = drop_kind(os.path.basename(path))
        yield EndedDrop(
            unit=path,
            patient_id=readable(path.split(b"/")[0]),
            kind=kind,
            state=state,
            scan_id=None,
            reason=reason,
            files=(held,),
        )


def _reason(here: bytes) -> str:
    try:
        with open(here + REASON, encoding="utf-8") as stream:
            return stream.read().strip() or text("intake.reason_lost")
    except (OSError, UnicodeDecodeError):
        return text("intake.reason_lost")
