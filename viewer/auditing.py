"""Every view, download, change and refusal goes into the audit: views before they are answered.

What one session looks at again within ten minutes is noted once, so that a live page or the
pictures of a list do not fill the audit.
"""

import time
from collections import OrderedDict

from aiohttp import web
from aiohttp.typedefs import Handler

from daemon.index.audit import Action, note
from viewer.doors import Door
from viewer.keys import RECORDS, SESSION

AGAIN_SECONDS = 600.0
MOST_SEEN = 20_000


class Seen:
    """What was noted lately, by session and subject; the oldest is forgotten."""

    def __init__(self) -> None:
        self._noted: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def is_new(self, *what: str) -> bool:
        """Whether this has not been noted for a while; from now on it has."""
        moment = time.monotonic()
        is_new = moment - self._noted.get(what, -AGAIN_SECONDS) >= AGAIN_SECONDS
        if is_new:
            self._noted[what] = moment
            self._noted.move_to_end(what)
        if len(self._noted) > MOST_SEEN:
            self._noted.popitem(last=False)
        return is_new


async def audited(request: web.Request, handler: Handler, door: Door) -> web.StreamResponse:
    """Handle the request and note it, as its door says."""
    if door.notes is None or SESSION not in request:
        return await handler(request)
    if request.method in ("GET", "HEAD"):
        await _note_reading(request, door, door.notes)
        return await handler(request)
    try:
        response = await handler(request)
    except web.HTTPRedirection:  # how a form that was taken ends
        await _note(request, door, door.notes)
        raise
    if response.status < 400:
        await _note(request, door, door.notes)
    return response


async def _note_reading(request: web.Request, door: Door, action: Action) -> None:
    seen = request.app[SEEN]
    session, subject = request[SESSION].key, door.subject(request)
    if action is not Action.VIEW or seen.is_new(session, subject):
        await _note(request, door, action)


async def _note(request: web.Request, door: Door, action: Action) -> None:
    session, subject = request[SESSION], door.subject(request)
    by = f" by token {session.token_id}" if session.token_id else ""
    detail = "" if subject == door.path else door.path
    role = request.match_info.get("role", "")  # which file: a fixed word of ours
    words = f"{detail} {role}".strip()[:150] + by
    await note(request.app[RECORDS], session.account, action, subject, words.strip())


SEEN = web.AppKey("seen", Seen)
