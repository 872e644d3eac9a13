"""Which earlier studies a scan lacks, and how they come: newest first, one after another."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from daemon.dicom_node.peer_answers import PeerAway, StudyFound
from daemon.dicom_node.staging import Staging
from daemon.dicom_node.study_assembly import mark_prior
from daemon.drops import UNASSIGNED, shown_id
from daemon.index.database import Database
from daemon.index.scans import ScanOfStudy, scan_of_study, studies_since
from daemon.index.sent_objects import data_version
from daemon.priors.journal import Journal
from daemon.settings.archives import Priors

log = logging.getLogger(__name__)

MR = "MR"


class Asked(Protocol):
    """A PACS: by C-FIND and C-MOVE (`dicom_node.query_scu`), or by HTTP (`priors.dicomweb`)."""

    async def studies_of(self, patient_id: str) -> Sequence[StudyFound]:
        """All studies of a patient. Raises PeerAway."""

    async def fetch(self, study_uid: str) -> bool:
        """Whether all of a study has come. Raises PeerAway."""

    async def close(self) -> None:
        """End what is open."""


@dataclass(frozen=True)
class Fetched:
    """What became of one patient: studies that came, were there already, or did not come whole."""

    came: int = 0
    known: int = 0
    failed: int = 0


class Fetcher:
    """Fetches for one inbox. Not for two tasks at once."""

    def __init__(
        self, index: Database, pacs: Asked, settings: Priors, staging: Staging, journal: Journal
    ) -> None:
        self._index, self._pacs, self._settings = index, pacs, settings
        self._staging, self._journal = staging, journal
        self._failures: Counter[str] = Counter()  # of studies that did not come whole
        self._next, self._pauses = 0.0, 0
        self._version, self._is_left = -1, True  # of the index at the last look

    async def look(self) -> None:
        """Fetch for all scans that are new; after a PACS that was away, not before its pause."""
        version = await data_version(self._index)
        if time.monotonic() < self._next or (version == self._version and not self._is_left):
            return
        self._is_left = True
        done = True
        try:
            for scan in await studies_since(self._index, self._journal.since):
                if not self._journal.has_scan(scan.scan_id):
                    done = await self._for_scan(scan) and done
        except PeerAway as away:
            self._pauses += 1
            pause = self._settings.pause(self._pauses)
            self._next = time.monotonic() + pause
            log.warning("pacs_away", extra={"reason": away.reason, "seconds": pause})
        else:
            self._pauses, self._version, self._is_left = 0, version, not done
            if not done:
                self._next = time.monotonic() + self._settings.first_pause_seconds

    async def _for_scan(self, scan: ScanOfStudy) -> bool:
        """Whether a scan is done with.

        What was itself fetched gets no priors: the newest before the scan are enough.
        """
        if scan.patient_id == UNASSIGNED or self._journal.has_study(scan.study_uid):
            await asyncio.to_thread(self._journal.note_scan, scan.scan_id)
            return True
        fetched = await self.fetch(scan.patient_id, scan.day, scan.study_uid)
        if not fetched.failed:
            await asyncio.to_thread(self._journal.note_scan, scan.scan_id)
        return not fetched.failed

    async def fetch(self, patient_id: str, before: str, but: str = "") -> Fetched:
        """The newest MR studies of a patient. Raises PeerAway.

        before: YYYYMMDD, '' for all; but: the StudyInstanceUID of the one that is at hand.
        """
        found = await self._pacs.studies_of(shown_id(patient_id))
        came = known = failed = 0
        for study in self._chosen(found, before, but):
            if await self._is_known(patient_id, study.uid):
                known += 1
            elif await self._fetch(study.uid):
                came += 1
            else:
                failed += 1
        return Fetched(came, known, failed)

    async def _is_known(self, patient_id: str, uid: str) -> bool:
        if self._journal.has_study(uid):
            return True
        return await scan_of_study(self._index, patient_id, uid) is not None

    def _chosen(self, found: Sequence[StudyFound], before: str, but: str) -> list[StudyFound]:
        """The newest before a day; a study of the same day may be earlier, and is taken."""
        wanted = [
            each
            for each in found
            if each.uid != but
            and (not each.modalities or MR in each.modalities)
            and each.day
            and (not before or each.day <= before)
        ]
        wanted.sort(key=lambda each: (each.day, each.uid), reverse=True)
        return wanted[: self._settings.newest]

    async def _fetch(self, uid: str) -> bool:
        """Whether a study is done with: it came, or came in part too often."""
        await asyncio.to_thread(mark_prior, self._staging, uid)
        came = await self._pacs.fetch(uid)
        if not came:
            self._failures[uid] += 1
        given_up = self._failures[uid] >= self._settings.tries
        if came or given_up:
            await asyncio.to_thread(self._journal.note_study, uid, came)
            log.info("prior_fetched" if came else "prior_given_up")
        return came or given_up
