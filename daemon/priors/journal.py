"""What was fetched, and for which scans was asked: a file that only grows, without patient data.

It lies beside what the node holds, in the inbox. Studies stand there by a hash of their UID.
"""

import hashlib
import json
import os

from daemon.dicom_node.staging import Staging
from daemon.index.database import now
from daemon.safe_files import sync_folder

FILE = "priors.jsonl"
LOCK = "priors.lock"  # held while somebody fetches
CHARACTERS = 40  # of the hash of a UID


class Journal:
    """The account of one inbox. since: when it was begun, UTC, ISO 8601."""

    def __init__(self, staging: Staging) -> None:
        """Raises OSError without an inbox."""
        self._path = staging.root / FILE
        if not self._path.exists():
            self._append({"since": now()})
            sync_folder(staging.root)
        self.since = ""
        self.read()

    def read(self) -> None:
        """What stands there by now. Raises OSError."""
        notes = [_parsed(line) for line in self._path.read_bytes().splitlines()]
        self.since = next((note["since"] for note in notes if "since" in note), now())
        self._studies = {note["study"] for note in notes if "study" in note}
        self._scans = {note["scan"] for note in notes if "scan" in note}

    def has_study(self, study_uid: str) -> bool:
        """Whether it was fetched, or given up."""
        return hash_of(study_uid) in self._studies

    def has_scan(self, scan_id: str) -> bool:
        """Whether all that it needs was asked for."""
        return scan_id in self._scans

    def note_study(self, study_uid: str, came: bool) -> None:
        """It has come, or is given up. Raises OSError."""
        self._append({"study": hash_of(study_uid), "came": came})
        self._studies.add(hash_of(study_uid))

    def note_scan(self, scan_id: str) -> None:
        """Nothing more is to be asked for this scan. Raises OSError."""
        self._append({"scan": scan_id})
        self._scans.add(scan_id)

    def _append(self, note: dict[str, object]) -> None:
        """On a line of its own even after a crash that cut the last one."""
        with self._path.open("ab+") as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, end - 1))
            torn = end > 0 and stream.read(1) != b"\n"
            stream.write(b"\n" * torn + json.dumps(note).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())


def hash_of(study_uid: str) -> str:
    """How a study is named here."""
    return hashlib.sha256(study_uid.encode()).hexdigest()[:CHARACTERS]


def _parsed(line: bytes) -> dict[str, str]:
    try:
        note = json.loads(line)
    except ValueError:  # a crash cut it
        return {}
    return note if isinstance(note, dict) else {}
