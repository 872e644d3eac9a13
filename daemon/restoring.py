"""`gliowatch records restore`: back to a good copy of the records; the damaged file is kept."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from daemon.copying import as_copy, copies_in, make_private
from daemon.durable_files import sync_file, sync_folder
from daemon.index.copies import Condition, condition_of, copy_into
from daemon.index.database import DatabaseError
from daemon.lock import only_one
from daemon.settings import DaemonSettings
from model.errors import GliowatchError

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
            raise RestoreError("This file is no whole copy of records, so nothing was changed.")
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
