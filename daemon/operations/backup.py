"""Copies of the records: made whole each night or not at all, and the way back from one."""

import asyncio
import logging
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.index.database import Condition, DatabaseError, condition_of, copy_into
from daemon.safe_files import only_one, sync_file, sync_folder
from daemon.settings import DaemonSettings
from model.errors import GliowatchError

NAME = re.compile(r"records-(\d{8}T\d{6}Z)-(\d{6,})\.sqlite")
MOMENT = "%Y%m%dT%H%M%SZ"
UNFINISHED = ".unfinished-"
STALE_SECONDS = 24 * 3600.0  # an unfinished copy of that age was cut off by a crash


class CopyError(GliowatchError):
    """No copy of the records was made; the sentence says why."""


class RecordsDamaged(GliowatchError):
    """The records cannot be read whole, or are gone while there are copies of them."""


@dataclass(frozen=True)
class Copy:
    """One copy. `number` grows by one with each; `made_at` is what the clock said, in UTC."""

    number: int
    made_at: datetime
    path: Path


def copies_in(folder: Path) -> list[Copy]:
    """All copies, the newest first: by their number, since a clock may have been wrong."""
    if not folder.is_dir():
        return []
    copies = [copy for path in folder.iterdir() if (copy := as_copy(path))]
    return sorted(copies, key=lambda copy: (copy.number, copy.made_at), reverse=True)


def as_copy(path: Path) -> Copy | None:
    """A copy by its name, or None for a file that is not named as one."""
    found = NAME.fullmatch(path.name)
    if found is None:
        return None
    try:
        made_at = datetime.strptime(found[1], MOMENT).replace(tzinfo=UTC)
    except ValueError:  # digits, but no time
        return None
    return Copy(int(found[2]), made_at, path)


def make_copy(records: Path, folder: Path, keep: int) -> Copy:
    """Copy the records, which may be in use, and forget all copies but the `keep` newest.

    A copy that is not whole never gets its name, so it drives no good one out. Raises CopyError,
    DatabaseError or OSError.
    """
    if condition_of(records) is Condition.EMPTY:
        raise CopyError("There are no records to copy yet.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    earlier = copies_in(folder)
    copy = _next(folder, earlier[0].number + 1 if earlier else 1)
    unfinished = folder / f"{UNFINISHED}{secrets.token_hex(4)}"
    try:
        make_private(unfinished, records)
        copy_into(records, unfinished)
        if condition_of(unfinished) is not Condition.SOUND:
            raise CopyError(
                "The records are damaged, so no copy of them was made: stop gliowatch and run"
                " `gliowatch records restore`."
            )
        sync_file(unfinished)
        unfinished.rename(copy.path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(folder)
    _forget(folder, [copy, *earlier][keep:])
    return copy


def refuse_damaged(records: Path, folder: Path) -> None:
    """Raises RecordsDamaged where people's entries would be lost by going on with this file."""
    condition = condition_of(records)
    is_gone = condition is Condition.EMPTY and bool(copies_in(folder))
    if condition is Condition.DAMAGED or is_gone:
        raise RecordsDamaged(
            f"The records, which hold what people entered, are {'gone' if is_gone else 'damaged'};"
            " `gliowatch records restore` goes back to the newest good copy of them."
        )


def make_private(file: Path, like: Path) -> None:
    """A new file for its owner alone; made by root, it belongs to the owner of `like`."""
    file.touch(mode=0o600, exist_ok=False)
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(file, owner.st_uid, owner.st_gid)


def _next(folder: Path, number: int) -> Copy:
    made_at = datetime.now(UTC).replace(microsecond=0)
    return Copy(number, made_at, folder / f"records-{made_at:{MOMENT}}-{number:06}.sqlite")


def _forget(folder: Path, copies: list[Copy]) -> None:
    for copy in copies:
        copy.path.unlink(missing_ok=True)
    for path in folder.glob(f"{UNFINISHED}*"):
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            path.unlink(missing_ok=True)


PARTS = ("", "-wal", "-shm")  # of a database: the file, its log, the log's index
Say = Callable[[str], object]


class RestoreError(GliowatchError):
    """The records were left as they are; the sentence says why."""


def restore(daemon: DaemonSettings, file: Path | None, say: Say) -> None:
    """Put `file`, or the newest good copy, in the place of the records, and say what that means.

    Raises AlreadyRunning while a daemon runs, RestoreError if there is nothing to go back to or,
    without `file`, no need to.
    """
    for place in (daemon.index, daemon.records):
        place.parent.mkdir(parents=True, exist_ok=True)
    with only_one(daemon.index):
        if file is None and condition_of(daemon.records) is Condition.SOUND:
            raise RestoreError(
                "The records are not damaged, so nothing was changed; to go back to a copy all"
                " the same, name its file."
            )
        source = file or _newest_good(daemon.copies, say)
        if _condition(source) is not Condition.SOUND:
            raise RestoreError(f"{source} is no whole copy of records, so nothing was changed.")
        aside = _put_in_place(source, daemon.records)
    kept = f", and the file as it was is kept as {aside.name}" if aside else ""
    say(
        f"The records are again as they were on {_when(source)}: what was entered after that is"
        f" lost and has to be entered anew{kept}."
    )


def _newest_good(folder: Path, say: Say) -> Path:
    for copy in copies_in(folder):
        if _condition(copy.path) is Condition.SOUND:
            return copy.path
        say(f"The copy of {_local(copy.made_at)} is damaged itself and was skipped.")
    raise RestoreError("There is no good copy of the records to go back to.")


def _condition(copy: Path) -> Condition:
    """A copy that the system does not let be read serves as little as a damaged one."""
    try:
        return condition_of(copy)
    except DatabaseError:
        return Condition.DAMAGED


def _put_in_place(source: Path, records: Path) -> Path | None:
    """Copy `source` beside the records and rename it to them; what was there, or None.

    The file itself goes aside before its log does: a crash between leaves records that are gone,
    which the next start tells, but never an old log beside a new file.
    """
    new = records.with_name(f"{records.name}.restoring")
    new.unlink(missing_ok=True)
    make_private(new, records if records.exists() else records.parent)
    copy_into(source, new)  # not by bytes: a file that was set aside has a log beside it
    sync_file(new)
    aside = _free_name(records)
    was_there = records.exists()
    for part in PARTS:
        old = records.with_name(records.name + part)
        if old.exists():
            old.rename(aside.with_name(aside.name + part))
    sync_folder(records.parent)
    new.rename(records)
    sync_folder(records.parent)
    return aside if was_there else None


def _free_name(records: Path) -> Path:
    """Beside the records; a second damage within one second is no reason to lose the first."""
    first = records.with_name(f"{records.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    name, number = first, 1
    while name.exists():
        number += 1
        name = first.with_name(f"{first.name}-{number}")
    return name


def _when(source: Path) -> str:
    """From when a copy is: by its name, or for a file of another name by its own time."""
    copy = as_copy(source)
    return _local(copy.made_at if copy else datetime.fromtimestamp(source.stat().st_mtime, UTC))


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d at %H:%M}"


log = logging.getLogger(__name__)

LEAST_HOURS = 12.0  # of uptime between two copies, whatever the clock on the wall says
LONGEST_HOURS = 24.0
RETRY_SECONDS = 60.0  # also between two looks at the clock


def is_due(hour: int, now: datetime, newest: datetime | None, uptime_hours: float | None) -> bool:
    """Whether to copy now. `now` is local time with its offset, `hour` one of its hours.

    newest: when the newest copy was made, by the clock, or None; uptime_hours: how long ago this
    daemon made its last one, by a clock that does not jump, or None if it has made none.
    """
    if uptime_hours is not None and uptime_hours < LEAST_HOURS:
        return False
    if newest is None or newest > now:  # a copy of the future: the clock was wrong, then or now
        return True
    night = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    if night > now:
        night -= timedelta(days=1)
    return newest < night or now - newest > timedelta(hours=LONGEST_HOURS)


class NightlyCopies:
    """Makes the copies of one daemon. It never waits for a disk and never raises."""

    def __init__(self, records: Path, folder: Path, hour: int, keep: int) -> None:
        self._records, self._folder = records, folder
        self._hour, self._keep = hour, keep
        self._made: float | None = None  # monotonic seconds
        self._next_look = 0.0
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Begin a copy if one is due; a copies folder that hangs holds nobody up."""
        is_busy = self._task is not None and not self._task.done()
        if not is_busy and time.monotonic() >= self._next_look:
            self._task = asyncio.create_task(self._copy_if_due())

    async def finish(self) -> None:
        """Let a copy that was begun end."""
        if self._task is not None:
            await self._task

    async def _copy_if_due(self) -> None:
        try:
            await asyncio.to_thread(self._copy)
        except GliowatchError as error:
            log.warning("copy_failed", extra={"reason": str(error)})
        except OSError as error:
            log.warning("copy_failed", extra={"errno": error.errno})
        except Exception:
            log.exception("copy_failed")
        self._next_look = time.monotonic() + RETRY_SECONDS

    def _copy(self) -> None:
        """In a thread of its own: everything here touches the disk."""
        uptime = None if self._made is None else (time.monotonic() - self._made) / 3600
        copies = copies_in(self._folder)
        newest = copies[0].made_at if copies else None
        if is_due(self._hour, datetime.now(UTC).astimezone(), newest, uptime):
            make_copy(self._records, self._folder, self._keep)
            self._made = time.monotonic()
            log.info("records_copied")
