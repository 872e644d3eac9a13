"""What a destination has: a file that only grows, a line of JSON for each object that it took,
and for each of which it said whether it keeps it."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from daemon.index.commitments import CommitmentNote
from daemon.index.database import now
from daemon.index.sent_objects import StoredNote
from daemon.safe_files import sync_folder

SENT = ".sent"  # in the outbox
LOCK = "lock"  # in it, of the process that sends
ENDING = ".jsonl"
FIRST_LINE = 1000  # bytes, far more than it has
Note = StoredNote | CommitmentNote


def journals_in(outbox: Path) -> list[Path]:
    """All journals, by name."""
    return sorted((outbox / SENT).glob(f"*{ENDING}"))


class Journal:
    """One destination's. since: when it was begun, UTC, ISO 8601: older results do not go there by
    themselves."""

    def __init__(self, outbox: Path, destination: str) -> None:
        self._path = outbox / SENT / f"{destination}{ENDING}"
        self.since = self._begin()

    def _begin(self) -> str:
        """Never the outbox itself: it may be away. Raises OSError."""
        self._path.parent.mkdir(exist_ok=True)
        if not self._is_begun():
            self._path.write_bytes(b"")
            self._append(json.dumps({"since": now()}))
            sync_folder(self._path.parent)
            sync_folder(self._path.parent.parent)
        with self._path.open("rb") as stream:
            first = stream.readline()
        self._end_torn_line()
        return str(json.loads(first)["since"])

    def _is_begun(self) -> bool:
        """Whether its first line is whole."""
        try:
            with self._path.open("rb") as stream:
                return stream.readline(FIRST_LINE).endswith(b"\n")
        except FileNotFoundError:
            return False

    def _end_torn_line(self) -> None:
        """A crash may have cut the last line: it is no note, and the next one begins anew."""
        with self._path.open("rb+") as stream:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
                os.fsync(stream.fileno())

    def check(self) -> None:
        """Raises OSError where it is not there: the outbox is away then."""
        self._path.stat()

    def note(self, said: Note) -> None:
        """Bring one line to the disk. Raises OSError."""
        self._append(json.dumps(asdict(said)))

    def _append(self, line: str) -> None:
        with self._path.open("ab") as stream:
            stream.write(f"{line}\n".encode())
            stream.flush()
            os.fsync(stream.fileno())

    def read_from(self, offset: int) -> tuple[list[Note], int]:
        """The notes from a byte on, and where the last whole line ends.

        A file that is shorter than that is another one, and read from its start.
        """
        with self._path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(offset if offset <= size else 0)
            begin = stream.tell()
            content = stream.read()
        whole = content[: content.rfind(b"\n") + 1]
        return list(_notes(whole.splitlines())), begin + len(whole)


def _notes(lines: Iterable[bytes]) -> Iterable[Note]:
    for line in lines:
        try:
            said = json.loads(line)
            yield CommitmentNote(**said) if "commitment" in said else StoredNote(**said)
        except (ValueError, TypeError):  # the first line, or one that a crash cut
            continue
