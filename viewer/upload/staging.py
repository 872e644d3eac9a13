"""The uploads that this viewer holds until they are sent, and the worker that looks into them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import web

from daemon.confinement import bounds_of_uploads
from daemon.drops import Drop
from daemon.intake.inbox_scan import NameRules, is_away
from daemon.intake.uploads import StagedUpload, UploadFault, clear_staged, stage_upload
from daemon.outputs.catalogue import text
from daemon.pipeline.worker_processes import Slot, WorkerFailed
from daemon.settings import Allowance
from daemon.settings.reload import SettingsInForce
from viewer.live_updates import in_background
from viewer.sessions import INDEX, SETTINGS
from viewer.uploads_streaming import MEGABYTE, Meter

if TYPE_CHECKING:
    from daemon.intake.upload_preview import Preview


LOOK = Allowance(60.0, 3_000_000_000)  # for one scan
MOST_HELD = 12  # uploads that wait to be sent, of everybody together
MOST_OPEN = 3  # uploads of one account; the oldest goes for the next
MOST_SCANS = 200  # in one upload
SWEEP_SECONDS = 300.0
MOST_SENT = 20  # uploads that a person sees the state of


@dataclass
class Upload:
    """One upload that somebody fills."""

    held: StagedUpload
    session: str
    account_id: int
    meter: Meter
    scans: tuple["Preview", ...] = ()


@dataclass(frozen=True)
class Sent:
    """An upload that is in the inbox now. folder: below the inbox, as bytes."""

    patient_id: str
    folder: bytes
    files: int
    at: float


@dataclass
class Desk:
    """All uploads of one viewer by name, and what each session sent, the newest first."""

    settings: SettingsInForce
    uploads: dict[str, Upload] = field(default_factory=dict)
    sent: dict[str, list[Sent]] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    beginning: asyncio.Lock = field(default_factory=asyncio.Lock)

    @cached_property
    def slot(self) -> Slot:
        """Where uploads are opened."""
        return Slot(bounds_of_uploads(self.settings.now))

    @property
    def rules(self) -> NameRules:
        """Which names the daemon passes over."""
        daemon = self.settings.daemon
        return NameRules(daemon.ignore_names, daemon.wait_suffixes)

    def hold(self) -> StagedUpload:
        """An upload beside the inbox. Raises OSError without an inbox."""
        return stage_upload(self.settings.daemon.inbox, self.rules)

    def meter(self) -> Meter:
        """Counts the bytes of one upload."""
        daemon = self.settings.daemon
        limit = self.settings.viewer.max_upload_mb * MEGABYTE
        return Meter(limit, daemon.inbox, daemon.reserve_gb * 1e9)

    async def begin(self, session: str, account_id: int) -> Upload:
        """A new upload of a session. Raises UploadFault, OSError."""
        async with self.beginning:  # so that those who begin at once are counted as well
            own = [each for each in self.uploads.values() if each.account_id == account_id]
            if len(own) >= MOST_OPEN:  # it was left without being sent or given up
                self.forget(own[0])
                await asyncio.to_thread(own[0].held.cancel)
            if len(self.uploads) >= MOST_HELD:
                raise UploadFault(text("upload_fault.too_many_held"))
            held = await asyncio.to_thread(self.hold)
            upload = Upload(held, session, account_id, self.meter())
            self.uploads[held.name] = upload
        return upload

    def find(self, name: str, session: str) -> Upload:
        """The upload of this name, which its own session alone may ask for; or HTTPNotFound."""
        upload = self.uploads.get(name)
        if upload is None or not secrets.compare_digest(upload.session, session):
            raise web.HTTPNotFound(text=text("upload_fault.gone"))
        return upload

    async def look(self, upload: Upload) -> tuple["Preview", ...]:
        """What an upload holds, told by a worker; kept until something else is added."""
        listing = await asyncio.to_thread(upload.held.listing)
        found: list[Preview] = []
        for drop in list(listing.drops.values())[:MOST_SCANS]:
            found += await self._look_at(upload.held, drop)
        upload.scans = tuple(found)
        return upload.scans

    async def content_of(self, upload: Upload, drop: Drop) -> str:
        """The hash by which a scan will be known. Raises GliowatchError."""
        from daemon.intake.upload_preview import content_of

        async with self.turn:
            return await self.slot.run(LOOK, content_of, upload.held.root, drop)

    async def _look_at(self, held: StagedUpload, drop: Drop) -> tuple["Preview", ...]:
        from daemon.intake.upload_preview import preview, preview_failed

        try:
            async with self.turn:
                flair = self.settings.model.flair_rules
                return await self.slot.run(LOOK, preview, held.root, drop, flair)
        except WorkerFailed as error:
            return (preview_failed(drop, str(error)),)

    def forget(self, upload: Upload) -> None:
        """It was sent, or given up."""
        self.uploads.pop(upload.held.name, None)

    def note_sent(self, session: str, sent: Sent) -> None:
        """Its state is told on the page from now on."""
        self.sent[session] = [sent, *self.sent.get(session, [])][:MOST_SENT]


DESK = web.AppKey("desk", Desk)


async def keep_desk(app: web.Application) -> AsyncIterator[None]:
    """Clears what an earlier viewer held, then again and again what nobody touches any more."""
    desk = app[DESK] = Desk(app[SETTINGS])
    inbox = app[SETTINGS].daemon.inbox
    await asyncio.to_thread(clear_staged, inbox, 0.0)
    async with in_background(_sweep(desk)):
        yield
    desk.slot.close()


async def refuse_without_inbox(app: web.Application) -> None:
    """HTTPServiceUnavailable where the inbox is not the folder that the index knows."""
    if await is_away(app[SETTINGS].daemon.inbox, app[INDEX]):
        raise web.HTTPServiceUnavailable(text=text("upload.no_inbox"))


async def _sweep(desk: Desk) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        await asyncio.to_thread(clear_staged, desk.settings.daemon.inbox)
        for upload in list(desk.uploads.values()):
            if not upload.held.root.exists():
                desk.forget(upload)
