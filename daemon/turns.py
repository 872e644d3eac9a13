"""Who must not work at the same time takes turns: one at a time for each key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """A lock for each key that somebody holds or waits for, and none for any other."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, *keys: str) -> AsyncIterator[None]:
        """Hold these keys; whoever comes second for one of them waits until the first has ended."""
        async with AsyncExitStack() as held:
            for key in sorted(set(keys)):  # all in one order, so that no two wait for each other
                await held.enter_async_context(self._locks.setdefault(key, asyncio.Lock()))
            yield
