"""From objects to studies, and of each study that is complete one folder of the inbox.

A study is complete when no association that brought some of it is open and nothing of it has come
for `close_seconds`, or when as many objects are there as their headers say that it has.
"""

import contextlib
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from daemon.dicom_node.staging import ENDING, Staging
from daemon.drops import UNASSIGNED, folder_name
from daemon.intake.inbox_scan import RECEIVED
from daemon.pipeline.worker_processes import Slot, WorkerFailed
from daemon.safe_files import sync_folder
from daemon.settings import Allowance
from model.reading.dicom.patient_tags import Filing, filing_of

log = logging.getLogger(__name__)

AT_ONCE = 100  # headers that a worker reads for one call
ALLOWANCE = Allowance(seconds=60.0, memory_bytes=2 * 10**9)  # of such a call
STUDY_CHARACTERS = 20
OLDEST_SECONDS = 1.0  # after 1970: the time of priors' files

Place = tuple[str, str]  # the patient's folder, and the study's


@dataclass
class _Study:
    """One that waits. last: when something of it came, by the clock; objects: as its headers say.

    senders: the associations that brought some of it.
    """

    last: float
    objects: int = 0
    senders: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Sorted:
    """What one look did: studies that went into the inbox, objects that were there already."""

    studies: int
    doubles: int


def filings_of(files: tuple[Path, ...]) -> tuple[Filing, ...]:
    """Of each file where it belongs; called inside a worker's process."""
    return tuple(filing_of(file) for file in files)


def study_folder(study_uid: str) -> str:
    """The name of the folder in which a study's objects wait."""
    return hashlib.sha256(study_uid.encode()).hexdigest()[:STUDY_CHARACTERS]


def mark_prior(staging: Staging, study_uid: str) -> None:
    """Before a study is asked for as a prior: it is history, and goes last."""
    (staging.asked / study_folder(study_uid)).touch()


class Sorter:
    """The only one that moves objects once they have arrived."""

    def __init__(
        self,
        staging: Staging,
        slot: Slot,
        close_seconds: float,
        hold_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._staging, self._slot = staging, slot
        self._close, self._hold = close_seconds, hold_seconds
        self._clock = clock
        self._told: set[Place] = set()  # those of which it was said that they cannot be filed
        self._studies = {place: _Study(clock()) for place in self._found()}

    async def look(self, open_associations: Callable[[], frozenset[int]]) -> Sorted:
        """Sort what has arrived, then file what is complete. Raises OSError without an inbox.

        open_associations: asked before the objects are listed, so that none is overlooked.
        """
        is_open = open_associations()
        files = self._arrived()
        doubles = 0
        for first in range(0, len(files), AT_ONCE):
            batch = tuple(files[first : first + AT_ONCE])
            for file, filing in zip(batch, await self._read(batch), strict=True):
                doubles += self._sort(file, filing)
        for folder in {file.parent for file in files} - {self._staging.arrived}:
            with contextlib.suppress(OSError):  # one that is not empty is looked at again
                folder.rmdir()
        return Sorted(self._file_complete(is_open), doubles)

    def _arrived(self) -> list[Path]:
        """Objects of associations, and folders of those that one request brought together."""
        alone, together = f"*{ENDING}", f"*/*{ENDING}"
        arrived = self._staging.arrived
        return sorted([*arrived.glob(alone), *arrived.glob(together)])

    def _found(self) -> list[Place]:
        """The studies that an earlier start left."""
        folders = self._staging.studies.glob("*/*")
        return [(each.parent.name, each.name) for each in folders if each.is_dir()]

    async def _read(self, files: tuple[Path, ...]) -> tuple[Filing, ...]:
        """A file that ends its worker names nobody; the others are read all the same."""
        try:
            return await self._slot.run(ALLOWANCE, filings_of, files)
        except WorkerFailed:
            if len(files) == 1:
                log.warning("header_unreadable")
                return (Filing(),)
        return tuple([(await self._read((file,)))[0] for file in files])

    def _sort(self, file: Path, filing: Filing) -> int:
        """Into its study's folder; 1 if the same bytes lie there already."""
        digest, sender = file.name.split(".")[:2]
        patient = folder_name(filing.patient_id) if filing.patient_id else UNASSIGNED
        named = filing.study_uid or f"none of association {sender}"
        place = (patient, study_folder(named))
        folder = self._folder(place)
        target = folder / f"{digest}{ENDING}"
        folder.mkdir(parents=True, exist_ok=True)
        is_double = target.exists()
        if is_double:
            file.unlink()
        else:
            file.rename(target)
        study = self._studies.setdefault(place, _Study(0.0))
        study.last = self._clock()
        study.objects = max(study.objects, filing.objects)
        study.senders.add(int(sender))
        return int(is_double)

    def _file_complete(self, is_open: frozenset[int]) -> int:
        filed = 0
        for place in [place for place in self._studies if self._is_complete(place, is_open)]:
            try:
                self._file(place)
            except OSError as error:  # it is tried again at the next look, if it is still there
                if not self._folder(place).exists():
                    del self._studies[place]
                    continue
                if place not in self._told:
                    log.warning("study_not_filed", extra={"errno": error.errno})
                self._told.add(place)
                continue
            self._told.discard(place)
            del self._studies[place]
            filed += 1
        return filed

    def _is_complete(self, place: Place, is_open: frozenset[int]) -> bool:
        study = self._studies[place]
        quiet = self._clock() - study.last
        if quiet >= self._close and (not study.senders & is_open or quiet >= self._hold):
            return True
        return 0 < study.objects <= sum(1 for _ in self._folder(place).glob(f"*{ENDING}"))

    def _file(self, place: Place) -> None:
        """One rename into the patient's folder of the inbox, under an opaque name."""
        folder, patient = self._folder(place), self._staging.inbox / place[0]
        patient.mkdir(exist_ok=True)
        is_prior = (self._staging.asked / place[1]).exists()
        if is_prior:
            _make_last(folder)
        sync_folder(folder)
        name = f"{os.fsdecode(RECEIVED)}{secrets.token_hex(8)}"
        files = sum(1 for _ in folder.iterdir())
        folder.rename(patient / name)
        sync_folder(patient)
        sync_folder(self._staging.inbox)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()
        if is_prior:
            (self._staging.asked / place[1]).unlink(missing_ok=True)
        log.info("study_received", extra={"files": files})

    def _folder(self, place: Place) -> Path:
        return self._staging.studies / place[0] / place[1]


def _make_last(folder: Path) -> None:
    """The queue takes first what is newest by its time of change: this is older than anything."""
    for file in folder.iterdir():
        os.utime(file, (OLDEST_SECONDS, OLDEST_SECONDS))
