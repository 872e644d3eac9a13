"""Beside the pages: the worklist's rows are brought up to date with the records, a few at a time.

Each page does so for the newest rows before it is shown; after a rebuild there may be a million.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from daemon.index.worklist_people import catch_up
from viewer.keys import JOINED, RECORDS

BETWEEN_SECONDS = 0.1  # between two rounds, for those who wait for the index
IDLE_SECONDS = 60.0


async def catching_up(app: web.Application) -> AsyncIterator[None]:
    """Cleanup context: the task. It needs the databases, so it begins after them."""
    task = asyncio.create_task(_keep_up(app))
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _keep_up(app: web.Application) -> None:
    while True:
        was_busy = await catch_up(app[JOINED], app[RECORDS])
        await asyncio.sleep(BETWEEN_SECONDS if was_busy else IDLE_SECONDS)
