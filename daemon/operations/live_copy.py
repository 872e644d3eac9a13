"""What people enter, copied off this machine while they enter it: `daemon.live_copy`, a folder.

The records are copied whole, page by page, whenever they have changed, and corrected masks once
each. A copy gets its name when it is on the disk, so that what bears it is always whole. What was
entered within the last LOOK_SECONDS and the time of one copy may be lost with the machine.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from daemon.index.database import copy_into
from daemon.operations.backup import make_private
from daemon.records.corrections import CORRECTIONS, kept_files
from daemon.safe_files import sync_file, sync_folder
from daemon.settings import DaemonSettings
from model.errors import GliowatchError

log = logging.getLogger(__name__)

NAME = "records-live.sqlite"
LOOK_SECONDS = 2.0  # between two looks whether something was entered
SHARE = 10  # of the time at most goes into copies: large records are copied less often
State = tuple[tuple[int, int] | None, ...]


@asynccontextmanager
async def copied_live(daemon: DaemonSettings) -> AsyncIterator[None]:
    """While the context is open, and once more at its end; nothing where no folder is named."""
    if not daemon.live_copy:
        yield
        return
    follower = LiveCopy(daemon.records, daemon.outbox, Path(daemon.live_copy))
    task = asyncio.create_task(follower.follow())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await follower.look()


class LiveCopy:
    """The copy of one site's entries in `folder`. It never raises: its disk may be away."""

    def __init__(self, records: Path, outbox: Path, folder: Path) -> None:
        self._records, self._outbox, self._folder = records, outbox, folder
        self._copied: State | None = None
        self._failed = False
        self._seconds = 0.0  # that the last copy took

    async def follow(self) -> None:
        """Look again and again."""
        while True:
            await self.look()
            await asyncio.sleep(max(LOOK_SECONDS, SHARE * self._seconds))

    async def look(self) -> None:
        """Copy what has changed; a failure is logged once, and tried again at the next look."""
        try:
            await asyncio.to_thread(self.copy)
        except (GliowatchError, OSError) as error:
            if not self._failed:
                log.warning("live_copy_failed", extra={"errno": getattr(error, "errno", None)})
            self._failed = True
        else:
            self._failed = False

    def copy(self) -> None:
        """Bring the folder up to date. Raises DatabaseError or OSError."""
        began, state = time.monotonic(), state_of(self._records)
        if state != self._copied:
            self._folder.mkdir(mode=0o700, exist_ok=True)  # never its parent: a share may be away
            self._copy_records()
            self._copied = state
        self._copy_corrections()
        self._seconds = time.monotonic() - began

    def _copy_records(self) -> None:
        unfinished = self._folder / f".{NAME}.part"
        unfinished.unlink(missing_ok=True)
        make_private(unfinished, self._records)
        copy_into(self._records, unfinished)
        sync_file(unfinished)
        unfinished.replace(self._folder / NAME)
        sync_folder(self._folder)

    def _copy_corrections(self) -> None:
        for file in kept_files(self._outbox):
            target = self._folder / file.relative_to(self._outbox / CORRECTIONS)
            if target.exists():
                continue
            target.parent.mkdir(mode=0o700, exist_ok=True)
            unfinished = target.with_name(f".{target.name}.part")
            shutil.copyfile(file, unfinished)
            sync_file(unfinished)
            unfinished.replace(target)
            sync_folder(target.parent)


def state_of(records: Path) -> State:
    """Size and time of the database and of its log: a commit changes one of them."""
    return tuple(_facts(Path(f"{records}{part}")) for part in ("", "-wal"))


def _facts(path: Path) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return None
    return facts.st_size, facts.st_mtime_ns
