"""What is told to the FHIR server: how each scan stands now, as often as that changes.

A message is written once, beside its scan, under a name that says what it tells of. So it is the
same bytes whenever it is sent, also by a later version, and with an index that was made again.
"""

import asyncio
import hashlib
import logging
import os
from pathlib import Path

from daemon.destinations.fhir_standing import STATUS, Now, standing_now
from daemon.destinations.result_selection import WANTED, Choice
from daemon.drops import UNASSIGNED
from daemon.index.database import Database
from daemon.index.people.reviews import Review
from daemon.index.sent_objects import Outgoing, Unentered, enter_objects, is_entered
from daemon.outputs.fhir.standing import Status, told
from daemon.pipeline.extra_objects import FHIR, has_object, keep_object
from daemon.pipeline.outbox import EXTRA
from daemon.settings.archives import FhirServer


def _mark(review: Review | None) -> str:
    """A review makes another message than the one before; an index that is made again does not."""
    return "_" + "".join(each for each in review.at if each.isdigit()) if review else ""


log = logging.getLogger(__name__)


class FhirChoice(Choice):
    """What the server gets: of each scan the newest revision, as it stands."""

    def __init__(
        self, index: Database, records: Database, outbox: Path, to: FhirServer, since: str
    ) -> None:
        super().__init__(index, records, outbox, to, since)
        self._to = to
        self._damaged: set[str] = set()  # scans whose files make no message; told once

    async def want(self, scan_id: str) -> None:
        """How it stands now, if the server waits for such results. Raises OSError."""
        await self._tell(scan_id, "")

    async def _enter(self, result: Unentered, since: str) -> None:
        if await self._tell(result.scan_id, since):
            await enter_objects(self._index, self._name, result.folder, [])

    async def _enter_scan(self, scan_id: str, since: str) -> None:
        await self._tell(scan_id, since)

    async def _enter_beside(self) -> None:
        """Nothing: what is told is written here alone."""

    async def _tell(self, scan_id: str, since: str) -> bool:
        """Whether there is nothing left to tell of its newest revision."""
        now = await standing_now(self._index, self._records, scan_id)
        if now is None or now.scan.removed_at or now.scan.report.patient_id == UNASSIGNED:
            return False
        standing = now.standing
        if standing.at < since or not await self._is_wanted(scan_id, standing.status):
            return False
        try:
            message = await asyncio.to_thread(self._kept, now)
        except (AttributeError, KeyError, TypeError, ValueError):  # a result that is damaged
            if scan_id not in self._damaged:
                log.exception("message_not_made", extra={"scan": scan_id})
            self._damaged.add(scan_id)
            return False
        await enter_objects(self._index, self._name, b"", [message])
        return True

    async def _is_wanted(self, scan_id: str, status: Status) -> bool:
        """What has been told once is also told otherwise, and taken back."""
        wanted = {STATUS[each] for each in WANTED.get(self._to.when, ())} | {"amended"}
        if self._to.when == "published" or status in wanted:
            return True
        return await is_entered(self._index, self._name, scan_id)

    def _kept(self, now: Now) -> Outgoing:
        """The message, written if it is not there yet. Raises OSError."""
        scan, standing = now.scan, now.standing
        name = f"{scan.scan_id}-r{scan.revision}_{standing.status}{_mark(now.review)}.json"
        if not has_object(self._outbox, scan.scan_id, name, FHIR):
            folder = self._outbox / os.fsdecode(scan.folder)
            message = told(folder, scan.report, standing, self._to.patient_system)
            keep_object(self._outbox, scan.scan_id, name, message.encode(), FHIR)
        path = Path(EXTRA, scan.scan_id, FHIR, name)
        digest = hashlib.sha256((self._outbox / path).read_bytes()).hexdigest()
        return Outgoing(digest, scan.scan_id, scan.revision, FHIR, os.fsencode(path))
