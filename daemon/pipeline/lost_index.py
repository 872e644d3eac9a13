"""An index that is not there any more, though the outbox is full, is not that of a new site."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from daemon.index.database import Database, open_index
from daemon.index.found_results import is_new
from daemon.outputs.catalogue import text
from daemon.pipeline.outbox import published_folders, report_in
from daemon.settings import DaemonSettings
from model.errors import GliowatchError

WAIT_SECONDS = 0.5  # of a viewer, between two looks whether the index is there again


class IndexLost(GliowatchError):
    """The index is missing, empty or another file than that which was opened."""


def has_results(outbox: Path) -> bool:
    """Whether any result lies in the outbox."""
    folders = published_folders(outbox)
    return any(report_in(outbox / os.fsdecode(folder)) is not None for folder in folders)


async def is_lost(daemon: DaemonSettings) -> bool:
    """Whether the index is missing or empty though the outbox is full. It makes none."""
    if daemon.index.exists() and daemon.index.stat().st_size:
        async with open_index(daemon.index) as index:
            if not await is_new(index):
                return False
    return await asyncio.to_thread(has_results, daemon.outbox)


@asynccontextmanager
async def open_known_index(daemon: DaemonSettings) -> AsyncIterator[Database]:
    """The index, for a command beside the daemon. Raises IndexLost where it is lost."""
    if await is_lost(daemon):
        raise IndexLost(text("intake.index_lost", index=daemon.index))
    async with open_index(daemon.index) as index:
        yield index


async def until_not_lost(daemon: DaemonSettings) -> None:
    """A viewer waits for the daemon, which makes a lost index again, and makes none itself."""
    while True:
        if not await is_lost(daemon):
            return
        await asyncio.sleep(WAIT_SECONDS)


def file_mark(index: Path) -> tuple[int, int] | None:
    """Two numbers that tell one file from another of the same name; None where none is there."""
    try:
        facts = index.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
