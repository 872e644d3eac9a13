"""Scans assigned to patients, patients deleted and restored: the rules, each once and undoable.

The records say it first, then the index; then the files are copied into the patient's folder
under one name of our own, by one rename. What a crash leaves undone, `finish_placing` does.
"""

import asyncio
import logging
import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.drops import SOURCE, UNASSIGNED, Drop, hash_scan, readable
from daemon.index.database import Database
from daemon.index.patient_scans import set_hidden
from daemon.index.people import patient_deletion
from daemon.index.people.overrides import add_date, entered_date
from daemon.index.people.patient_deletion import deleted_ids, erase_due
from daemon.index.people.patient_merges import mirror_merges
from daemon.index.people.patients import Patient
from daemon.index.people.triage.assignments import (
    Assignment,
    add_assignment,
    assignments,
    is_taken_back,
    mark_placed,
    mark_taken_back,
    mark_there,
    mirror,
)
from daemon.index.scans import ScanRow, find_scan
from daemon.outputs.catalogue import text
from daemon.records.patient_merges import CannotMerge, standing_merges
from daemon.safe_files import copy_into_place, sync_folder
from daemon.settings import DaemonSettings
from model.errors import GliowatchError

log = logging.getLogger(__name__)

GIVEN = b"given-"  # how the folder begins that holds such files in the inbox


class CannotBeGiven(GliowatchError):
    """This scan cannot be given to this patient; the sentence says why."""


async def give(
    index: Database,
    records: Database,
    daemon: DaemonSettings,
    scan: ScanRow,
    patient: Patient,
    who: str,
) -> Assignment | None:
    """Give a scan to a patient; None if it was given already. Raises CannotBeGiven, OSError."""
    source = daemon.outbox / os.fsdecode(scan.folder) / SOURCE
    await _check(scan, patient, source)
    target = hash_scan(patient.patient_id, scan.content_sha256)
    was_there = await find_scan(index, target) is not None
    was_there = was_there and not await is_taken_back(index, target)
    given = await add_assignment(
        records,
        scan.scan_id,
        patient_id=patient.patient_id,
        target=target,
        was_there=was_there,
        who=who,
    )
    if given is None:
        return None
    await mirror(index, records, [given.scan_id])
    entered = await entered_date(records, scan.scan_id)
    if entered is not None:
        await add_date(records, target, entered.acquired_on, entered.entered_by, only_first=True)
    await _place(index, records, daemon, given)
    return given


async def take_back(
    index: Database, records: Database, assignment: int, who: str
) -> Assignment | None:
    """It was a mistake: the scan is nobody's again, and what came of it is hidden; no file goes.

    None if it was taken back already, or never given.
    """
    taken = await mark_taken_back(records, assignment, who)
    if taken is not None:
        await mirror(index, records, [taken.scan_id])
    return taken


async def came_by_drop(index: Database, records: Database, scan_id: str, drop: Drop) -> None:
    """A scan ended: one that had been hidden is the patient's own if anybody else dropped it."""
    by_us = all(b"/" + GIVEN in file.path for file in drop.files)
    if not by_us and await is_taken_back(index, scan_id):
        await mark_there(records, scan_id)
        await mirror(index, records)


async def finish_placing(
    index: Database, records: Database, daemon: DaemonSettings, age: timedelta
) -> None:
    """The index says what the records say, and every scan that was given so long ago is placed."""
    await mirror(index, records)
    said = list(reversed(await assignments(records)))
    before = (datetime.now(UTC) - age).isoformat(timespec="milliseconds")
    for each in said:
        if each.placed_at or each.taken_back_at or each.given_at > before:
            continue
        try:
            await _place(index, records, daemon, each)
        except OSError as error:  # its disk is away: it is tried again
            log.warning("not_placed", extra={"scan": each.scan_id, "errno": error.errno})


async def _check(scan: ScanRow, patient: Patient, source: Path) -> None:
    if scan.patient_id != UNASSIGNED:
        raise CannotBeGiven(text("assign_fault.has_patient"))
    if patient.patient_id == UNASSIGNED or patient.deleted_at:
        raise CannotBeGiven(text("assign_fault.no_patient"))
    if readable(os.fsencode(patient.patient_id)) != patient.patient_id:
        raise CannotBeGiven(text("assign_fault.bad_folder"))
    if not await asyncio.to_thread(source.is_dir):
        raise CannotBeGiven(text("assign_fault.files_gone"))


async def _place(
    index: Database, records: Database, daemon: DaemonSettings, given: Assignment
) -> None:
    """Copy the dropped files of the newest revision into the inbox, unless the patient has it."""
    scan = await find_scan(index, given.scan_id)
    is_there = await find_scan(index, given.target) is not None
    if scan is not None and not is_there:
        source = daemon.outbox / os.fsdecode(scan.folder) / SOURCE
        await asyncio.to_thread(_copy, source, daemon.inbox / given.patient_id, given)
    await mark_placed(records, given.assignment)


def _copy(source: Path, patient: Path, given: Assignment) -> None:
    """Copied, not linked: what people may write to in the inbox must not be the published file."""
    aside = patient / f".given-{given.assignment}"  # a hidden name is none of a scan
    target = patient / f"{GIVEN.decode()}{given.scan_id}"
    patient.mkdir(exist_ok=True)  # never the inbox itself: it may be away
    copy_into_place(source, aside, target)
    sync_folder(patient)


async def delete(index: Database, records: Database, patient: Patient, who: str) -> None:
    """Hide a patient everywhere; what was entered is kept aside for 30 days, no file is touched.

    Raises CannotMerge for one whose scans are shown with another's, or the other way round.
    """
    if await standing_merges(records, patient.patient_id):
        raise CannotMerge(text("merge.undo_first"))
    await patient_deletion.delete_patient(records, patient, who)
    await mirror_hidden(index, records)


async def bring_back(index: Database, records: Database, patient_key: str, who: str) -> bool:
    """Undo it, also after a scan brought the bare entry back; False if nothing is kept aside."""
    done = await patient_deletion.undo_deletion(records, patient_key, who)
    await mirror_hidden(index, records)
    return done


async def come_again(index: Database, records: Database, patient_ids: Iterable[str]) -> None:
    """A drop came, or ended, for these: who was deleted is listed again, as a bare entry."""
    if await patient_deletion.list_again(records, patient_ids):
        await mirror_hidden(index, records)


async def mirror_hidden(index: Database, records: Database) -> None:
    """At start, and after every deletion or undo."""
    await set_hidden(index, lambda: deleted_ids(records))


EVERY_SECONDS = 3600.0
AT_WORK = timedelta(minutes=10)  # a viewer that gave a scan so lately may still be copying it


class Upkeep:
    """Brings index and inbox in line with the records, at the start and every hour."""

    def __init__(self, daemon: DaemonSettings, index: Database, records: Database) -> None:
        self._daemon, self._index, self._records = daemon, index, records
        self._next = 0.0

    async def begin(self) -> None:
        """At the start: whatever a kill has left undone."""
        await self._round(timedelta(0))

    async def look(self) -> None:
        """Once an hour."""
        if time.monotonic() >= self._next:
            await self._round(AT_WORK)

    async def _round(self, age: timedelta) -> None:
        self._next = time.monotonic() + EVERY_SECONDS
        if erased := await erase_due(self._records):
            log.info("erased", extra={"records": erased})
        await mirror_hidden(self._index, self._records)
        await mirror_merges(self._index, self._records)
        await finish_placing(self._index, self._records, self._daemon, age)
