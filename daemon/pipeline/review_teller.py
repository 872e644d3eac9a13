"""Reviews that a PACS shall hear of: each gets its object beside the scan, once, in a worker."""

import asyncio
import logging
import os
from datetime import datetime
from pathlib import Path

from daemon.confinement import bounds_of_scans
from daemon.index import queue
from daemon.index.database import Database
from daemon.index.people.reviews import Decision, Review, reviews_after
from daemon.index.scans import revisions_of
from daemon.outputs.dicom.verdict import Verdict
from daemon.pipeline.told_objects import Reviewed, tell_review
from daemon.pipeline.worker_processes import Slot
from daemon.settings import Settings
from model.errors import GliowatchError

log = logging.getLogger(__name__)

TOLD = "reviews_told"  # switch: the number of the last review that was looked at
AT_ONCE = 10  # reviews at one look


class ReviewTeller:
    """Looks for what was said since the last look. Off as shipped: nothing is looked for."""

    def __init__(self, settings: Settings, index: Database, records: Database) -> None:
        self._daemon, self._index, self._records = settings.daemon, index, records
        self._slot = Slot(bounds_of_scans(settings))
        self._at_work: asyncio.Task[None] | None = None

    @property
    def is_on(self) -> bool:
        """Whether any review is told."""
        return bool(self._daemon.verifying_organization or self._daemon.rejection_notes)

    def look(self) -> None:
        """Begin with the next reviews, unless the last ones are still at work."""
        if self.is_on and (self._at_work is None or self._at_work.done()):
            self._at_work = asyncio.create_task(self._tell())

    async def finish(self) -> None:
        """Wait for what has begun."""
        if self._at_work is not None:
            await self._at_work
        self._slot.close()

    async def _tell(self) -> None:
        """What cannot be written now, since the disk is full or away, is tried at the next look."""
        last = await queue.switch(self._index, TOLD)
        for review in await reviews_after(self._records, last, AT_ONCE):
            reviewed = await self._reviewed(review)
            try:
                if reviewed and await self._told(reviewed):
                    log.info("review_told", extra={"scan": review.scan_id})
            except OSError as error:
                log.warning("storage_trouble", extra={"scan": review.scan_id, "errno": error.errno})
                return
            except GliowatchError:
                log.warning("review_not_told", extra={"scan": review.scan_id})
            await queue.set_switch(self._index, TOLD, review.review_id)

    async def _told(self, reviewed: Reviewed) -> bool:
        outbox, allowance = self._daemon.outbox, self._daemon.allowance
        return await self._slot.run(allowance, tell_review, outbox, reviewed)

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
            if scan.removed_at is not None:
                return None
            verdict = Verdict(
                accepted=accepted,
                person=review.reviewer,
                organization=organization,
                at=datetime.fromisoformat(review.at),
                number=review.review_id,
            )
            return Reviewed(report, Path(os.fsdecode(scan.folder)), verdict)
        return None
