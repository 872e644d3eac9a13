"""One destination's storage commitment: it is asked what it keeps, and what it says is noted."""

import asyncio
import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import generate_uid

from daemon.destinations.journal import Journal
from daemon.destinations.outgoing_objects import whole_object
from daemon.dicom_node.commitment_reports import CommitmentReport, CommitmentReports
from daemon.dicom_node.peer_answers import PeerAway
from daemon.index.commitments import (
    Commitment,
    CommitmentNote,
    Uncommitted,
    asked_in,
    not_asked,
    note_asked,
    note_unanswered,
    take_back,
    unanswered_since,
)
from daemon.index.database import Database, now
from daemon.settings.archives import Destination

log = logging.getLogger(__name__)

BATCH = 100  # objects in one question


class Commitments:
    """Never a reason to send: what an archive does not keep is told to people, who decide."""

    def __init__(
        self,
        index: Database,
        to: Destination,
        outbox: Path,
        receiving: Path,
        journal: Journal,
    ) -> None:
        self._index, self._to, self._outbox, self._journal = index, to, outbox, journal
        self._reports = CommitmentReports(receiving)
        self._failures, self._not_before = 0, 0.0

    async def look(self) -> bool:
        """Hear what was said, ask for what is new, and tell what stays unanswered; whether the
        journal has grown. Raises OSError."""
        has_heard = await self._hear()
        if time.monotonic() >= self._not_before:
            while batch := await not_asked(self._index, self._to.name, BATCH):
                said = await self._ask(batch)
                if said is None:
                    break
                has_heard |= said
        await self._expire()
        return has_heard

    async def _hear(self) -> bool:
        reports = await asyncio.to_thread(lambda: list(self._reports.waiting()))
        heard = [await self._take(each) for each in reports]
        return any(heard)

    async def _take(self, report: CommitmentReport) -> bool:
        """Note what is said of the objects of that question; False if it was another's."""
        asked = await asked_in(self._index, self._to.name, report.transaction)
        if not asked:
            return False
        for note in _notes(asked, report):
            await asyncio.to_thread(self._journal.note, note)
            if note.commitment is Commitment.REFUSED:
                self._log("commitment_refused", status=note.code)
        await asyncio.to_thread(self._reports.forget, report.transaction)
        return True

    async def _ask(self, batch: list[Uncommitted]) -> bool | None:
        """Ask for a batch; whether the answer came at once, None where it cannot be asked now."""
        from daemon.dicom_node.commitment_scu import ask  # pynetdicom: where it is wanted alone

        objects = await asyncio.to_thread(self._named, batch)
        gone = [each.number for each in batch if each.number not in objects]
        if gone:
            self._journal.check()  # an outbox that is away holds none of its files
            await note_unanswered(self._index, gone)
        if not objects:
            return False
        transaction = str(generate_uid(prefix=None))
        await asyncio.to_thread(self._reports.expect, transaction)
        uids = {number: uid for number, (_, uid) in objects.items()}
        await note_asked(self._index, uids, transaction)  # the answer may come before the call ends
        try:
            report = await asyncio.to_thread(ask, self._to, transaction, objects.values())
        except PeerAway as error:
            await self._put_off(batch, transaction, error)
            return None
        self._failures = 0
        return report is not None and await self._take(report)

    def _named(self, batch: list[Uncommitted]) -> dict[int, tuple[str, str]]:
        """SOP Class and SOP Instance UID of each, by its number; of those whose file is there."""
        found = {}
        for each in batch:
            content = whole_object(self._outbox, each.path, each.sha256)
            if content is not None:
                head = dcmread(BytesIO(content), specific_tags=["SOPClassUID", "SOPInstanceUID"])
                found[each.number] = (str(head.SOPClassUID), str(head.SOPInstanceUID))
        return found

    async def _put_off(self, batch: list[Uncommitted], question: str, error: PeerAway) -> None:
        """The question was not taken: it is put again after a pause, until the time is over."""
        self._failures += 1
        self._not_before = time.monotonic() + self._to.pause(self._failures)
        if self._failures == 1:
            self._log("commitment_not_asked", status=error.code, reason=error.reason)
        await asyncio.to_thread(self._reports.forget, question)
        await take_back(self._index, question)
        over = [each.number for each in batch if each.ended_at < self._deadline()]
        await note_unanswered(self._index, over)

    async def _expire(self) -> None:
        late = await unanswered_since(self._index, self._to.name, self._deadline())
        if late:
            await note_unanswered(self._index, [each.number for each in late])
            self._log("commitment_unanswered", objects=len(late))

    def _deadline(self) -> str:
        """What was asked, or sent, before this moment has waited long enough."""
        moment = datetime.now(UTC) - timedelta(seconds=self._to.commitment_seconds)
        return moment.isoformat(timespec="milliseconds")

    def _log(self, event: str, **extra: object) -> None:
        log.warning(event, extra=extra | {"destination": self._to.name})


def _notes(asked: Iterable[Uncommitted], report: CommitmentReport) -> Iterable[CommitmentNote]:
    committed = set(report.committed)
    for each in asked:
        at = max(now(), each.ended_at)
        if each.sop_uid in report.refused:
            code = report.refused[each.sop_uid]
            yield CommitmentNote(at, each.sha256, Commitment.REFUSED, code)
        elif each.sop_uid in committed:
            yield CommitmentNote(at, each.sha256, Commitment.COMMITTED, "")
