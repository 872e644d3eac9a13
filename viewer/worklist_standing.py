"""What stands above the worklist: last night in numbers, and what keeps the work from going on."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from aiohttp import web

from daemon.index.worklist_filters import OPEN
from daemon.index.worklist_people import catch_up
from daemon.index.worklist_situation import Situation, situation_of
from viewer.health import longest_silence
from viewer.keys import JOINED, RECORDS, SETTINGS
from viewer.nights import local_words, night_since, night_words, stored

DAEMON_STOPPED = (
    "gliowatch does not look through the inbox at the moment: nothing new is judged."
    " Please tell the administrator."
)
PAUSED = "The queue is paused: what waits begins when it is resumed."
DISK_LOW = "The disk is nearly full: what waits begins when there is room."


async def standing(request: web.Request) -> dict[str, Any]:
    """Last night in numbers, what keeps the work from going on, and the mark of this moment.

    Before it, the rows are brought up to date with the records, if they are not.
    """
    now, joined = datetime.now().astimezone(), request.app[JOINED]
    since = night_since(now, request.app[SETTINGS].viewer.night_begins)
    found = await situation_of(joined, stored(since))
    if found.is_behind:
        await catch_up(joined, request.app[RECORDS])
        found = await situation_of(joined, stored(since))
    return {
        "night": night_words(since, now),
        "night_since": local_words(stored(since)),
        "numbers": _numbers(found.arrived),
        "received": sum(found.arrived.values()),
        "obstacles": list(_obstacles(request, found)),
        "is_empty": found.is_empty,
        "mark": found.mark,
    }


def _numbers(arrived: dict[str, int]) -> list[tuple[str, str, int]]:
    """What is said, the filter that shows it, and how many there are."""
    duplicates = arrived.get("duplicate", 0)
    to_review = arrived.get("review", 0)
    numbers = [
        ("received", "", sum(arrived.values()) - duplicates),
        ("done", "done", arrived.get("done", 0)),
        ("needs review" if to_review == 1 else "need review", "review", to_review),
        ("failed", "failed", arrived.get("failed", 0)),
        ("waiting or running", "open", sum(arrived.get(state, 0) for state in OPEN)),
    ]
    return [*numbers, ("duplicates", "duplicate", duplicates)] if duplicates else numbers


def _obstacles(request: web.Request, found: Situation) -> Iterator[str]:
    looked_at, longest = found.looked_at, longest_silence(request.app)
    if looked_at is None or time.time() - looked_at > longest:
        yield DAEMON_STOPPED
    if found.is_paused:
        yield PAUSED
    if found.is_disk_low:
        yield DISK_LOW
