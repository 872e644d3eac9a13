"""Which results go to a destination: when it wants them, and of which objects."""

import asyncio
import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from pathlib import Path

from daemon.destinations.outgoing_objects import (
    objects_beside,
    objects_of_result,
    scans_with_objects_beside,
)
from daemon.index.database import Database
from daemon.index.people.reviews import Decision, reviewed_after, reviews_of
from daemon.index.scans import revisions_of
from daemon.index.sent_objects import (
    Outgoing,
    Unentered,
    data_version,
    enter_objects,
    is_entered,
    unentered_of_scan,
    unentered_since,
)
from daemon.records.reviews import decision_on
from daemon.scan_history import judged_revision
from daemon.settings.archives import Destination, ResultReceiver

WHOLE_SECONDS = 60.0  # between two looks at everything, whatever the databases tell
WANTED = {  # which decisions a destination waits for
    "reviewed": {Decision.ACCEPTED, Decision.REJECTED},
    "accepted": {Decision.ACCEPTED},
}


class Choice(ABC):
    """What one destination gets. since: results from before do not go there by themselves."""

    _hears_reviews = True  # whether a review makes something due

    def __init__(
        self, index: Database, records: Database, outbox: Path, to: ResultReceiver, since: str
    ) -> None:
        self._index, self._records, self._outbox = index, records, outbox
        self._name, self._since = to.name, since
        self._seen = since  # of the newest result that was looked at
        self._review_id = 0
        self._versions, self._next_whole = (0, 0), 0.0

    async def enter(self, is_whole: bool = False) -> None:
        """Enter what has become due since the last look. Raises OSError."""
        versions = await data_version(self._index), await data_version(self._records)
        is_whole = is_whole or time.monotonic() >= self._next_whole
        if versions == self._versions and not is_whole:
            return
        if is_whole:  # clocks go back, and an index is made again
            self._seen, self._next_whole = self._since, time.monotonic() + WHOLE_SECONDS
        found = await unentered_since(self._index, self._name, self._seen)
        for each in found:
            await self._enter(each, self._since)
        self._seen = max([self._seen, *(each.published_at for each in found)])
        if self._hears_reviews:
            self._review_id, scans = await reviewed_after(self._records, self._review_id)
            for scan_id in sorted(scans):
                await self._enter_scan(scan_id, self._since)
        await self._enter_beside()
        self._versions = versions

    @abstractmethod
    async def want(self, scan_id: str) -> None:
        """A person wants this scan there, however old it is. Raises OSError."""

    @abstractmethod
    async def _enter(self, result: Unentered, since: str) -> None:
        """Enter what is to be told of a result, if it has become due since then."""

    @abstractmethod
    async def _enter_beside(self) -> None:
        """Enter what was made beside results."""

    async def _enter_scan(self, scan_id: str, since: str) -> None:
        for each in await unentered_of_scan(self._index, self._name, scan_id):
            await self._enter(each, since)


class ObjectChoice(Choice):
    """The DICOM objects that one archive gets."""

    def __init__(
        self, index: Database, records: Database, outbox: Path, to: Destination, since: str
    ) -> None:
        super().__init__(index, records, outbox, to, since)
        self._to, self._hears_reviews = to, to.when != "published"
        self._beside: dict[str, int] = {}

    async def want(self, scan_id: str) -> None:
        """Its objects, with those beside it. Raises OSError."""
        await self._enter_scan(scan_id, "")
        if await self._takes_beside(scan_id):
            beside = await asyncio.to_thread(objects_beside, self._outbox, scan_id)
            await enter_objects(self._index, self._to.name, b"", self._chosen(beside))

    async def _enter(self, result: Unentered, since: str) -> None:
        moment = await self._due_since(result)
        if not moment or moment < since:
            return
        objects = await asyncio.to_thread(
            objects_of_result, self._outbox, result.folder, result.scan_id, result.revision
        )
        await enter_objects(self._index, self._to.name, result.folder, self._chosen(objects))

    async def _due_since(self, result: Unentered) -> str:
        """When a result became what the destination waits for, UTC, ISO 8601; '' = not yet."""
        if self._to.when == "published":
            return result.published_at
        rows = await revisions_of(self._index, result.scan_id)
        report = next((row.report for row in rows if row.revision == result.revision), None)
        if report is None:
            return ""
        if await decision_on(self._records, report) not in WANTED[self._to.when]:
            return ""
        judged = judged_revision(report)
        said = await reviews_of(self._records, result.scan_id)
        words = [review.at for review in said if review.revision == judged]
        return max([*words[:1], result.published_at])

    async def _enter_beside(self) -> None:
        begun = datetime.fromisoformat(self._since).astimezone(UTC).timestamp() * 1e9
        places = await asyncio.to_thread(list, scans_with_objects_beside(self._outbox))
        for scan_id, changed in places:
            if changed < begun or self._beside.get(scan_id) == changed:
                continue
            if not await self._takes_beside(scan_id):
                continue
            objects = await asyncio.to_thread(objects_beside, self._outbox, scan_id)
            await enter_objects(self._index, self._to.name, b"", self._chosen(objects))
            self._beside[scan_id] = changed

    async def _takes_beside(self, scan_id: str) -> bool:
        """What follows a result, or takes it back, goes where that went."""
        if self._to.when == "published":
            return True
        return await is_entered(self._index, self._to.name, scan_id)

    def _chosen(self, objects: list[Outgoing]) -> list[Outgoing]:
        return [each for each in objects if each.kind in self._to.objects]
