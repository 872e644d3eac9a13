"""What stands above the worklist: last night in numbers, and what keeps the work from going on."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from aiohttp import web

from daemon.index.queue import switch
from daemon.index.worklist import count_arrived
from daemon.index.worklist_filters import OPEN
from viewer.health import is_daemon_alive
from viewer.keys import JOINED, SETTINGS
from viewer.nights import local_words, night_since, night_words, stored

DAEMON_STOPPED = (
    "gliowatch does not look through the inbox at the moment: nothing new is judged."
    " Please tell the administrator."
)
PAUSED = "The queue is paused: what waits begins when it is resumed."
DISK_LOW = "The disk is nearly full: what waits begins when there is room."


async def standing(request: web.Request) -> dict[str, Any]:
    """Last night in numbers, and what keeps the work from going on."""
    joined, now = request.app[JOINED], datetime.now().astimezone()
    since = night_since(now, request.app[SETTINGS].viewer.night_begins)
    counts = await count_arrived(joined, stored(since))
    waiting = sum(counts.get(state, 0) for state in OPEN)
    duplicates = counts.pop("duplicate", 0)
    numbers = [
        ("received", "", sum(counts.values())),
        ("done", "done", counts.get("done", 0)),
        (
            "needs review" if counts.get("review") == 1 else "need review",
            "review",
            counts.get("review", 0),
        ),
        ("failed", "failed", counts.get("failed", 0)),
        ("waiting or running", "open", waiting),
    ]
    if duplicates:
        numbers.append(("duplicates", "duplicate", duplicates))
    return {
        "night": night_words(since, now),
        "night_since": local_words(stored(since)),
        "numbers": numbers,
        "received": sum(counts.values()) + duplicates,
        "obstacles": [words async for words in _obstacles(request)],
    }


async def _obstacles(request: web.Request) -> AsyncIterator[str]:
    if not await is_daemon_alive(request.app):
        yield DAEMON_STOPPED
    for name, words in (("paused", PAUSED), ("disk_low", DISK_LOW)):
        if await switch(request.app[JOINED], name):
            yield words
