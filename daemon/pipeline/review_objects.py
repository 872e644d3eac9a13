"""Reviews, revisions and measurements that a PACS shall hear of: each gets its object, once."""

import logging
import os
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from pathlib import Path

from daemon.background import Background
from daemon.confinement import bounds_of_scans
from daemon.index import queue
from daemon.index.database import Database
from daemon.index.people.measurements import (
    Document,
    Measurement,
    documents_after,
    measurements_by_number,
)
from daemon.index.people.reviews import Decision, Review, reviews_after
from daemon.index.scans import ScanRow, revisions_of, revisions_since
from daemon.outputs.dicom.review_statement import ByHand, MeasuredByHand, Verdict
from daemon.outputs.wording import moment_words
from daemon.pipeline.review_object_tasks import LeftByHand, Reviewed, tell_by_hand, tell_review
from daemon.pipeline.worker_processes import Slot
from daemon.records.measurements import DOCUMENTS_TOLD
from daemon.settings import Settings
from model.errors import GliowatchError

log = logging.getLogger(__name__)

REVIEWS, REVISIONS = "reviews_told", "revisions_told"  # switches: how far all was looked at
AT_ONCE = 10  # of each at one look
NUMBERS = 100_000  # above it lie the numbers of the series of reviews
SUPERSEDED = 2_000_000_000  # and above it those of what was superseded
BY_HAND = 1_000_000_000  # and those of measurements by hand


class ReviewTeller:
    """Looks for what was said since the last look. As shipped, reviews and revisions are not told;
    measurements are whenever their person asks."""

    def __init__(self, settings: Settings, index: Database, records: Database) -> None:
        self._daemon, self._index, self._records = settings.daemon, index, records
        self._flair = settings.model.flair_rules
        self._slot = Slot(bounds_of_scans(settings))
        self._rounds = Background("reviews_not_told")

    @property
    def is_on(self) -> bool:
        """Whether any review is told."""
        return bool(self._daemon.verifying_organization or self._daemon.rejection_notes)

    def look(self) -> None:
        """Begin with the next ones, unless the last ones are still at work."""
        self._rounds.begin(self._tell_all)

    async def finish(self) -> None:
        """Give up what has begun: each object is written whole, and once, at whichever start."""
        await self._rounds.give_up()
        self._slot.close()

    async def _tell_all(self) -> None:
        """What cannot be written now, since the disk is full or away, is tried at the next look.

        Raises OSError.
        """
        await self._tell_documents()
        for found in (self._of_reviews, self._of_revisions) if self.is_on else ():
            async for reviewed, switch, reached in found():
                if reviewed is not None:
                    await self._tell(reviewed)
                await queue.set_switch(self._index, switch, reached)

    async def _tell(self, reviewed: Reviewed) -> None:
        told = self._slot.run(self._daemon.allowance, tell_review, self._daemon.outbox, reviewed)
        await self._note(reviewed.report.scan_id, told, "review_told", "review_not_told")

    async def _note(self, scan_id: str, telling: Awaitable[bool], event: str, fault: str) -> None:
        try:
            if await telling:
                log.info(event, extra={"scan": scan_id})
        except GliowatchError:
            log.warning(fault, extra={"scan": scan_id})
        except OSError:
            raise
        except Exception:  # one result whose objects cannot be read keeps no other one waiting
            log.exception(fault, extra={"scan": scan_id})

    async def _tell_documents(self) -> None:
        """Measurements whose person has asked for it since the last look."""
        last = await queue.switch(self._index, DOCUMENTS_TOLD)
        for document in await documents_after(self._records, last, AT_ONCE):
            left = await self._left(document)
            if left is not None:
                outbox, allowance = self._daemon.outbox, self._daemon.allowance
                told = self._slot.run(allowance, tell_by_hand, outbox, left, self._flair)
                await self._note(document.scan_id, told, "by_hand_told", "by_hand_not_told")
            await queue.set_switch(self._index, DOCUMENTS_TOLD, document.document_id)

    async def _left(self, document: Document) -> LeftByHand | None:
        """What a document tells; None if the scan's files are gone."""
        for scan in await revisions_of(self._index, document.scan_id):
            if scan.revision == document.revision and scan.removed_at is None:
                found = await measurements_by_number(self._records, document.numbers)
                said = MeasuredByHand(
                    person=document.asked_by,
                    organization=self._daemon.verifying_organization,
                    at=datetime.fromisoformat(document.asked_at),
                    number=BY_HAND + document.document_id,
                    measurements=tuple(_by_hand(each) for each in found),
                )
                number = document.document_id
                return LeftByHand(scan.report, _folder(scan), scan.study_uid, number, said)
        return None

    async def _of_reviews(self) -> AsyncIterator[tuple[Reviewed | None, str, int]]:
        last = await queue.switch(self._index, REVIEWS)
        for review in await reviews_after(self._records, last, AT_ONCE):
            yield await self._reviewed(review), REVIEWS, review.review_id

    async def _reviewed(self, review: Review) -> Reviewed | None:
        """The newest revision with that mask, if its files are there and it is to be told."""
        accepted = review.decision is Decision.ACCEPTED
        organization = self._daemon.verifying_organization
        wanted = organization if accepted else self._daemon.rejection_notes
        if not wanted or review.decision is Decision.NEEDS_CORRECTION:
            return None
        for scan in await revisions_of(self._index, review.scan_id):
            report = scan.report
            if (report.judged_revision or scan.revision) != review.revision:
                continue
            verdict = Verdict(
                accepted=accepted,
                person=review.reviewer,
                organization=organization,
                at=datetime.fromisoformat(review.at),
                number=NUMBERS + review.review_id,
            )
            return None if scan.removed_at else Reviewed(report, _folder(scan), verdict)
        return None

    async def _of_revisions(self) -> AsyncIterator[tuple[Reviewed | None, str, int]]:
        """What a later revision took the place of."""
        if not self._daemon.rejection_notes:
            return
        last = await queue.switch(self._index, REVISIONS)
        moment = datetime.fromtimestamp(last / 1000, UTC).isoformat(timespec="milliseconds")
        for scan in await revisions_since(self._index, moment, AT_ONCE):
            at = datetime.fromisoformat(scan.published_at)
            before = {each.revision: each for each in await revisions_of(self._index, scan.scan_id)}
            old = before.get(scan.report.supersedes or 0)
            superseded = None
            if old is not None and old.removed_at is None:
                verdict = Verdict(False, "", "", at, SUPERSEDED + scan.revision)
                superseded = Reviewed(old.report, _folder(old), verdict, _folder(scan))
            yield superseded, REVISIONS, round(at.timestamp() * 1000)


def _by_hand(each: Measurement) -> ByHand:
    return ByHand(each.measurement_id, each.drawn, each.figures, moment_words(each.measured_at))


def _folder(scan: ScanRow) -> Path:
    return Path(os.fsdecode(scan.folder))
