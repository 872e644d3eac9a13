"""Who sent what: the last associations and the sums since the start, without patient data.

The node alone writes it, as one small file that is replaced; pages and metrics read it. It is an
account for people, and nothing depends on it.
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

KEPT = 200  # associations


class Ending(StrEnum):
    """How an association ended."""

    OPEN = "open"
    RELEASED = "released"
    ABORTED = "aborted"  # by the sender
    IDLE = "idle"  # by us, since nothing came
    BROKEN = "broken"  # the connection went
    STOPPED = "stopped"  # by us, at our own end
    NO_REQUEST = "no_request"  # it asked for nothing, or for something that is not DICOM
    CALLED = "called"  # it called another AE title
    CALLING = "calling"  # its own AE title is not in the settings
    BUSY = "busy"  # too many at once
    ADDRESS = "address"  # its address is not in the settings
    TLS = "tls"  # no encryption, or a wrong certificate


REFUSED = (Ending.CALLED, Ending.CALLING, Ending.BUSY, Ending.ADDRESS, Ending.TLS)


@dataclass(frozen=True)
class Association:
    """One of them. objects: answered with success; refused: answered with another status.

    began_at, ended_at: ISO 8601, UTC; '' while it is open. size: bytes of the objects.
    """

    number: int
    calling: str
    address: str
    began_at: str
    ended_at: str = ""
    ending: Ending = Ending.OPEN
    objects: int = 0
    size: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Sums:
    """Since the node started."""

    associations: int = 0
    refused_associations: int = 0
    objects: int = 0
    size: int = 0
    refused_objects: int = 0
    doubles: int = 0
    studies: int = 0


@dataclass(frozen=True)
class Account:
    """All that is kept. started_at, port: of the node's last start; '' and 0 before the first."""

    started_at: str = ""
    port: int = 0
    sums: Sums = Sums()
    associations: tuple[Association, ...] = ()  # the newest first


def now_words() -> str:
    """The time now as the account has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Book:
    """The account while the node runs; any thread may change it."""

    def __init__(self, file: Path) -> None:
        earlier = read_account(file)
        self._file = file
        self._lock = threading.RLock()
        self._closed = deque(map(_cut_off, earlier.associations), KEPT)
        self._open: dict[int, Association] = {}
        self._numbers = max((each.number for each in earlier.associations), default=0)
        self._begun = Account(now_words())
        self._sums = Sums()
        self._is_changed = True

    def listens(self, port: int) -> None:
        """On which port, where the settings leave it open."""
        with self._lock:
            self._begun = replace(self._begun, port=port)
            self._is_changed = True

    def begin(self, address: str) -> int:
        """A connection was taken; the number of what may become an association."""
        with self._lock:
            self._numbers += 1
            number = self._numbers
            self._open[number] = Association(number, "", address, now_words())
            self._is_changed = True
        return number

    def name(self, number: int, calling: str) -> None:
        """How the sender calls itself."""
        self._change(number, lambda each: replace(each, calling=calling))

    def stored(self, number: int, size: int) -> None:
        """One object was answered with success."""
        self._add(objects=1, size=size)
        self._change(
            number, lambda each: replace(each, objects=each.objects + 1, size=each.size + size)
        )

    def refuse_object(self, number: int) -> None:
        """One object was answered with a status that is no success."""
        self._add(refused_objects=1)
        self._change(number, lambda each: replace(each, refused=each.refused + 1))

    def filed(self, studies: int, doubles: int) -> None:
        """Studies went into the inbox whole; objects came again with the same bytes."""
        if studies or doubles:
            self._add(studies=studies, doubles=doubles)

    def end(self, number: int, ending: Ending) -> Association:
        """It is over; what is kept of it."""
        with self._lock:
            ended = replace(self._open.pop(number), ended_at=now_words(), ending=ending)
            self._closed.appendleft(ended)
            self._add(**{"refused_associations" if ending in REFUSED else "associations": 1})
        return ended

    def write(self) -> None:
        """Replace the file if anything changed. Raises OSError."""
        with self._lock:
            if not self._is_changed:
                return
            self._is_changed = False
            newest = sorted(self._open.values(), key=lambda each: -each.number)
            rows = (*newest, *self._closed)[:KEPT]
            account = replace(self._begun, sums=self._sums, associations=rows)
        beside = self._file.with_suffix(".tmp")
        beside.write_text(json.dumps(asdict(account)))
        beside.replace(self._file)

    def _add(self, **more: int) -> None:
        with self._lock:
            sums = {name: getattr(self._sums, name) + count for name, count in more.items()}
            self._sums = replace(self._sums, **sums)
            self._is_changed = True

    def _change(self, number: int, change: Callable[[Association], Association]) -> None:
        with self._lock:
            if number in self._open:
                self._open[number] = change(self._open[number])
                self._is_changed = True


def read_account(file: Path) -> Account:
    """What was kept; an empty account where there is none, or none that can be read."""
    try:
        content: dict[str, Any] = json.loads(file.read_text())
        return Account(
            started_at=str(content["started_at"]),
            port=int(content["port"]),
            sums=Sums(**content["sums"]),
            associations=tuple(_association(each) for each in content["associations"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Account()


def _cut_off(earlier: Association) -> Association:
    """One of an earlier start: what was open then ended with it."""
    if earlier.ending is not Ending.OPEN:
        return earlier
    return replace(earlier, ending=Ending.BROKEN, ended_at=now_words())


def _association(content: dict[str, Any]) -> Association:
    return Association(**(content | {"ending": Ending(content["ending"])}))
