"""Sends to one destination what it is to get, oldest first; pauses and tries again on failure."""

import asyncio
import logging
import time
from pathlib import Path
from typing import Protocol, Self

from daemon.destinations.commitments import Commitments
from daemon.destinations.fhir_selection import FhirChoice
from daemon.destinations.journal import Journal
from daemon.destinations.outgoing_objects import whole_object
from daemon.destinations.result_selection import Choice, ObjectChoice
from daemon.dicom_node.peer_answers import Answer, PeerAway, Verdict
from daemon.index.database import Database, Locked, now
from daemon.index.sent_objects import (
    Failure,
    SendState,
    SentObject,
    StoredNote,
    due_objects,
    enter_stored,
    journal_bytes,
    note_failure,
    note_reach,
)
from daemon.intake.inbox_scan import RECEIVING
from daemon.settings import DaemonSettings
from daemon.settings.archives import FhirServer, ResultReceiver

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # between two looks for something to send
BATCH = 20  # objects that are asked for at a time


class Peer(Protocol):
    """An archive, whatever it speaks."""

    async def send(self, content: bytes) -> Answer:
        """Send one object. Raises PeerAway."""
        ...

    async def close(self) -> None:
        """End what is open."""
        ...


def peer_of(to: ResultReceiver) -> Peer:
    """Who speaks with a destination; only what it speaks is loaded."""
    if isinstance(to, FhirServer):
        from daemon.destinations.fhir_server import FhirPeer

        return FhirPeer(to)
    if to.protocol == "STOW-RS":
        from daemon.dicom_node.stow_client import Stow

        return Stow(to)
    from daemon.dicom_node.storescu import StoreScu

    return StoreScu(to)


class Sender:
    """One destination's. It is the only one that sends there (`process` holds a lock)."""

    def __init__(
        self,
        index: Database,
        to: ResultReceiver,
        outbox: Path,
        journal: Journal,
        choice: Choice,
        commitments: Commitments | None,
    ) -> None:
        self._index, self._to, self._outbox = index, to, outbox
        self._journal, self._choice, self._commitments = journal, choice, commitments
        self._peer = peer_of(to)
        self._failures = 0  # in a row
        self._not_before = self._next = 0.0  # by the monotonic clock
        self._has_answered = True  # since the last failure that is no answer about an object

    @classmethod
    async def begin(
        cls, index: Database, records: Database, folders: DaemonSettings, to: ResultReceiver
    ) -> Self:
        """Its journal is there, and the index knows all of it. Raises OSError."""
        outbox, receiving = folders.outbox, folders.inbox / RECEIVING
        journal = await asyncio.to_thread(Journal, outbox, to.name)
        choice: Choice
        asking: Commitments | None = None
        if isinstance(to, FhirServer):
            choice = FhirChoice(index, records, outbox, to, journal.since)
        else:
            choice = ObjectChoice(index, records, outbox, to, journal.since)
            if to.commitment:
                asking = Commitments(index, to, outbox, receiving, journal)
        sender = cls(
            index=index,
            to=to,
            outbox=outbox,
            journal=journal,
            choice=choice,
            commitments=asking,
        )
        await sender._enter_journal()
        return sender

    async def run(self) -> None:
        """Until cancelled."""
        is_held = False
        try:
            while True:
                try:
                    await self.look()
                    await self.send_due()
                    await self.look_for_commitment()
                    is_held = False
                except (OSError, Locked) as error:  # the outbox is away, or an index is locked
                    if not is_held:
                        self._log("sending_held", reason=type(error).__name__)
                    is_held = True
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self._peer.close()

    async def look(self, is_whole: bool = False) -> None:
        """Enter what has become due; is_whole: whatever the databases tell of changes.

        Raises OSError.
        """
        await self._choice.enter(is_whole)

    async def want(self, scan_id: str) -> None:
        """A person wants a scan sent again, or all that waits now: ''. Raises OSError."""
        self._not_before = 0.0
        if scan_id:
            await self._choice.want(scan_id)

    async def send_due(self) -> None:
        """Until nothing is due, or the destination is in trouble; its association ends then."""
        if time.monotonic() < self._not_before:
            return
        try:
            while due := await due_objects(self._index, self._to.name, BATCH):
                for each in due:
                    await self._keep_pace()
                    if not await self._send(each):
                        return
        finally:
            await self._peer.close()

    async def look_for_commitment(self) -> None:
        """Where the settings want it: what the archive says of the objects that it took.

        Raises OSError.
        """
        if self._commitments is not None and await self._commitments.look():
            await self._enter_journal()

    async def _keep_pace(self) -> None:
        await asyncio.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + 1 / self._to.rate

    async def _send(self, each: SentObject) -> bool:
        """Whether the next one may follow at once. Raises OSError."""
        content = await asyncio.to_thread(whole_object, self._outbox, each.path, each.sha256)
        if content is None:
            self._journal.check()  # an outbox that is away holds none of its files
            await self._fail(each, self._to.tries, 0.0, "", "file")
            return True
        try:
            answer = await self._peer.send(content)
        except PeerAway as error:
            await self._pause(error.code, error.reason)
            return False
        if answer.verdict is Verdict.LATER:
            await self._put_off(each, answer)
            return False
        if answer.verdict is Verdict.STORED:
            await self._note_stored(each, answer)
        else:
            tries = each.tries + 1
            await self._fail(each, tries, self._to.pause(tries), answer.code, answer.reason)
        await self._resume()
        return True

    async def _note_stored(self, each: SentObject, answer: Answer) -> None:
        """First to the journal, which outlives the index. A crash before it sends the same object
        once more, under the same UID, of which an archive keeps one."""
        stored = StoredNote(
            at=max(now(), each.wanted_at),
            sha256=each.sha256,
            scan_id=each.scan_id,
            revision=each.revision,
            kind=each.kind,
            code=answer.code,
            reason=answer.reason,
        )
        await asyncio.to_thread(self._journal.note, stored)
        await self._enter_journal()

    async def _enter_journal(self) -> None:
        entered = await journal_bytes(self._index, self._to.name)
        notes, end = await asyncio.to_thread(self._journal.read_from, entered)
        if notes or end != entered:
            await enter_stored(self._index, self._to.name, notes, end)

    async def _put_off(self, each: SentObject, answer: Answer) -> None:
        """No answer, or one about the archive: others go first, since the object may be why.

        Such a try counts only if the archive has answered since the last one: a night in which it
        takes connections and answers nothing gives up nothing.
        """
        tries = each.tries + self._has_answered
        self._has_answered = False
        pause = await self._pause(answer.code, answer.reason)
        await self._fail(each, tries, 2 * pause, answer.code, answer.reason)

    async def _fail(
        self, each: SentObject, tries: int, pause: float, code: str, reason: str
    ) -> None:
        state = SendState.GIVEN_UP if tries >= self._to.tries else SendState.FAILED
        failure = Failure(state, tries, pause, code, reason)
        await note_failure(self._index, each.number, failure)
        self._log("object_not_sent", scan=each.scan_id, status=code, reason=reason)

    async def _pause(self, code: str, reason: str) -> float:
        """Nothing more goes there for a while; for how many seconds."""
        self._failures += 1
        pause = self._to.pause(self._failures)
        self._not_before = time.monotonic() + pause
        if self._failures == 1:
            self._log("archive_away", status=code, reason=reason)
        await note_reach(self._index, self._to.name, code, reason)
        return pause

    async def _resume(self) -> None:
        self._has_answered = True
        if self._failures:
            self._failures = 0
            self._log("archive_back")
            await note_reach(self._index, self._to.name, "", "")

    def _log(self, event: str, **extra: str) -> None:
        log.warning(event, extra=extra | {"destination": self._to.name})
