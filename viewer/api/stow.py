"""STOW-RS (PS3.18 10.5): DICOM objects from a program, on the same way as those of the node.

They are streamed beside the inbox, and told apart in a worker's process: nothing here opens one.
A request that breaks off leaves nothing. One that is answered has its objects on the disk, and the
node's process, which also runs where nothing listens, sorts them into studies.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.helpers import parse_mimetype

from daemon.confinement import bounds_of_received
from daemon.dicom_node.staging import Staging
from daemon.dicom_node.stow_staging import (
    STORED,
    Judgement,
    PostedObjects,
    clear_held,
    judged,
)
from daemon.outputs.catalogue import text
from daemon.pipeline.worker_processes import Slot, WorkerFailed
from daemon.safe_files import is_held
from daemon.settings import Allowance, Settings
from viewer.request_forms import FormReader, damage_refused
from viewer.sessions import SESSION, SETTINGS
from viewer.upload.staging import DESK, refuse_without_inbox
from viewer.uploads_streaming import MOST_FILES, Meter, receive_file

KIND, OBJECT = "multipart/related", "application/dicom"
ANSWER = "application/dicom+json"
ACCEPTED = (ANSWER, "application/json", "application/*", "*/*")
STUDY_UID = re.compile(r"[0-9][0-9.]{0,63}")
READ = Allowance(60.0, 2 * 10**9)  # for the headers of so many objects:
AT_ONCE = 100
MOST_REQUESTS = 16  # that bring objects at the same time, of everybody together
MOST_OF_ONE = 6  # of one account
SOP_CLASS, SOP_INSTANCE, RETRIEVE_URL = "00081150", "00081155", "00081190"
REASON, FAILED, REFERENCED, OTHER = "00081197", "00081198", "00081199", "0008119A"


@dataclass
class Posts:
    """The requests that are being taken, and the worker that reads headers for them."""

    settings: Settings
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    by_account: Counter[int] = field(default_factory=Counter)

    @property
    def staging(self) -> Staging:
        """Where objects lie."""
        return Staging(self.settings.daemon.inbox)

    @cached_property
    def slot(self) -> Slot:
        """Where headers are read."""
        return Slot(bounds_of_received(self.settings, self.staging.root, READ.memory_bytes))

    @contextmanager
    def one_more(self, account_id: int) -> Iterator[None]:
        """HTTPTooManyRequests where one account, or all together, bring too much at once."""
        counts = self.by_account
        if counts[account_id] >= MOST_OF_ONE or counts.total() >= MOST_REQUESTS:
            raise web.HTTPTooManyRequests(text=text("stow.too_many"), headers={"Retry-After": "5"})
        counts[account_id] += 1
        try:
            yield
        finally:
            counts[account_id] -= 1
            self.by_account = +counts  # without those at 0

    async def judge(self, files: tuple[Path, ...], study: str) -> list[Judgement]:
        """Each file; one that ends its worker is none, and the others are read all the same."""
        found: list[Judgement] = []
        for first in range(0, len(files), AT_ONCE):
            found += await self._judge(files[first : first + AT_ONCE], study)
        return found

    async def _judge(self, files: tuple[Path, ...], study: str) -> tuple[Judgement, ...]:
        try:
            async with self.turn:
                return await self.slot.run(READ, judged, files, study)
        except WorkerFailed:
            if len(files) == 1:
                return (Judgement(),)
        return tuple([(await self._judge((file,), study))[0] for file in files])


POSTS = web.AppKey("posts", Posts)


async def keep_posts(app: web.Application) -> AsyncIterator[None]:
    """Clears what an earlier viewer held of requests that were never answered."""
    posts = app[POSTS] = Posts(app[SETTINGS].now)
    await asyncio.to_thread(clear_held, posts.staging.posting)
    yield
    if "slot" in vars(posts):
        posts.slot.close()


async def store_objects(request: web.Request) -> web.StreamResponse:
    """`POST /dicom-web/studies`, `POST /dicom-web/studies/{study}`."""
    posts, study = request.app[POSTS], _asked_study(request)
    _check_kinds(request)
    await _refuse_when_closed(request.app)
    meter = request.app[DESK].meter()
    meter.announce(request.content_length)
    await meter.refuse_when_full(request.content_length or 0)
    with posts.one_more(request[SESSION].account_id):
        held = await asyncio.to_thread(PostedObjects, posts.staging, posts.staging.posting)
        try:
            await _take_parts(request, held, meter)
            found = await posts.judge(held.files, study)
            good = [f for f, each in zip(held.files, found, strict=True) if each.reason == STORED]
            await asyncio.to_thread(held.arrive, good)
        finally:
            await asyncio.to_thread(held.cancel)
    return web.json_response(_told(found), status=_status(found), content_type=ANSWER)


def _asked_study(request: web.Request) -> str:
    study = request.match_info.get("study", "")
    if study and not STUDY_UID.fullmatch(study):
        raise web.HTTPBadRequest(text=text("stow.wrong_study"))
    return study


def _check_kinds(request: web.Request) -> None:
    """HTTPUnsupportedMediaType, HTTPNotAcceptable before anything of the body is read."""
    with damage_refused():
        named = parse_mimetype(request.headers.get("Content-Type", ""))
    if request.content_type != KIND or named.parameters.get("type", "").lower() != OBJECT:
        raise web.HTTPUnsupportedMediaType(text=text("stow.wrong_kind"))
    asked = request.headers.get("Accept", "*/*").lower().split(",")
    if not {each.partition(";")[0].strip() for each in asked} & {*ACCEPTED, ""}:
        raise web.HTTPNotAcceptable(text=text("stow.other_answer"))


async def _refuse_when_closed(app: web.Application) -> None:
    """HTTPServiceUnavailable where nothing would become of what is taken."""
    if not app[SETTINGS].dicom.stow:
        raise web.HTTPServiceUnavailable(text=text("stow.off"))
    await refuse_without_inbox(app)
    if not await asyncio.to_thread(is_held, app[POSTS].staging.lock):
        raise web.HTTPServiceUnavailable(
            text=text("stow.not_sorted"), headers={"Retry-After": "10"}
        )


async def _take_parts(request: web.Request, held: PostedObjects, meter: Meter) -> None:
    """Every part to the disk, or HTTPException: then none of them is kept."""
    with damage_refused():
        parts = FormReader(await request.multipart(), MOST_FILES)
    while (part := await parts.next()) is not None:
        if part.kind not in (OBJECT, ""):
            raise web.HTTPUnsupportedMediaType(text=text("stow.wrong_kind"))
        await receive_file(held, "", part.pieces(), meter)
    if not held.files:
        raise web.HTTPBadRequest(text=text("stow.no_object"))


def _status(found: list[Judgement]) -> int:
    """200 for all stored, 202 for some, 409 for none (PS3.18 table 10.5.3-1)."""
    stored = sum(each.reason == STORED for each in found)
    return 200 if stored == len(found) else 202 if stored else 409


def _told(found: list[Judgement]) -> dict[str, Any]:
    """The Store Instances Response (PS3.18 I.2). Nothing can be fetched here: no URL is given."""
    stored = [_named(each) | {RETRIEVE_URL: {"vr": "UR"}} for each in found if not each.reason]
    refused = [each for each in found if each.reason]
    failed = [_named(each) | _why(each) for each in refused if each.sop_instance]
    other = [_why(each) for each in refused if not each.sop_instance]
    sequences = {FAILED: failed, REFERENCED: stored, OTHER: other}
    told = {tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items() if items}
    return {RETRIEVE_URL: {"vr": "UR"}, **told}


def _named(each: Judgement) -> dict[str, Any]:
    uids = {SOP_CLASS: each.sop_class, SOP_INSTANCE: each.sop_instance}
    return {tag: {"vr": "UI", "Value": [uid]} for tag, uid in uids.items()}


def _why(each: Judgement) -> dict[str, Any]:
    return {REASON: {"vr": "US", "Value": [each.reason]}}
