"""Is the inbox there? A folder that was unmounted looks like an empty one: a mark tells."""

import asyncio
import secrets
from pathlib import Path

from daemon.index import ledger, queue
from daemon.index.database import Database

MARK = ".gliowatch"  # in the inbox, with a number that the index knows
SWITCH = "inbox"


async def keep_mark(inbox: Path, index: Database) -> None:
    """At the start: give a new inbox its mark, or learn that of one that an index is new to.

    An inbox without it, where files should lie by the index, stays without: it is away.
    """
    number = await asyncio.to_thread(_read, inbox)
    if number is None:
        number = await queue.switch(index, SWITCH) or secrets.randbits(60) + 1
        if await ledger.open_drops(index) and await queue.switch(index, SWITCH):
            return
        await asyncio.to_thread((inbox / MARK).write_text, f"{number}\n")
    await queue.set_switch(index, SWITCH, number)


async def is_here(inbox: Path, index: Database) -> bool:
    """Whether the folder is the very inbox that the index knows."""
    number = await asyncio.to_thread(_read, inbox)
    return number is not None and number == await queue.switch(index, SWITCH)


async def is_away(inbox: Path, index: Database) -> bool:
    """Whether the index knows an inbox, and this folder is another one."""
    return bool(await queue.switch(index, SWITCH)) and not await is_here(inbox, index)


def _read(inbox: Path) -> int | None:
    try:
        return int((inbox / MARK).read_text())
    except (OSError, ValueError):
        return None
