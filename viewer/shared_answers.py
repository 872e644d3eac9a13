"""Answers that many open pages ask for at the same moment: one is made, and all get it.

When something has changed, every open worklist asks for its rows at once. Those that ask the same
share one answer until the next change is told (`viewer/live.py`), so that a page more costs little.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from aiohttp import web

MOST_KEPT = 200


class SharedAnswers:
    """Answers as text, of one turn: a number that grows with every change that pages are told."""

    def __init__(self) -> None:
        self._turn = 0
        self._made: dict[Hashable, asyncio.Future[str]] = {}

    async def get(self, turn: int, key: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        """What `make` gives, or has given in this turn under the same key; errors are not kept."""
        if turn != self._turn or len(self._made) >= MOST_KEPT:
            self._turn, self._made = turn, {}
        if key not in self._made:
            self._made[key] = asyncio.ensure_future(make())
        made = self._made
        try:
            return await asyncio.shield(made[key])
        except Exception:
            made.pop(key, None)
            raise


SHARED = web.AppKey("shared", SharedAnswers)
