"""Who must not work at the same time takes turns: one at a time for each key."""

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """A lock for each key that somebody holds or waits for, and none for any other."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Lock:
        """The lock of a key; whoever comes second waits until the first has ended."""
        return self._locks.setdefault(key, asyncio.Lock())
