"""Copies of the records in a folder of their own: made whole or not at all, the newest kept."""

import os
import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from daemon.durable_files import sync_file, sync_folder
from daemon.index.copies import Condition, condition_of, copy_into
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
