"""Files from the viewer's form into the inbox, like any drop: written aside, then given names."""

import os
import secrets
from pathlib import Path
from typing import BinaryIO

from daemon.durable_files import sync_folder
from daemon.inbox import NameRules
from daemon.names import file_name

PART = ".part"


class Upload:
    """One upload into a folder of its own below the patient's.

    Every file is written with the ending `.part`, which the daemon waits for; `commit` gives
    all of them their names, `abort` takes them away again. Nothing is ever overwritten.
    """

    def __init__(self, inbox: Path, patient_id: str, rules: NameRules) -> None:
        self._folder = inbox / patient_id / f"upload-{secrets.token_hex(6)}"
        self._rules = rules
        self._targets: list[Path] = []

    def open(self, claimed_name: str) -> BinaryIO:
        """A stream for the next file, to be ended with `close`; its name is made safe."""
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._free(visible(file_name(claimed_name), self._rules))
        self._targets.append(target)
        return Path(f"{target}{PART}").open("xb")

    def close(self, stream: BinaryIO) -> None:
        """The file has arrived whole: bring it safely to the disk."""
        with stream:
            stream.flush()
            os.fsync(stream.fileno())

    def commit(self) -> int:
        """Name all files, whose streams are closed; how many there were."""
        for target in self._targets:
            Path(f"{target}{PART}").rename(target)
        if self._targets:
            sync_folder(self._folder)
        return len(self._targets)

    def abort(self) -> None:
        """Take every file of this upload away again."""
        for target in self._targets:
            Path(f"{target}{PART}").unlink(missing_ok=True)
        if self._folder.exists() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _free(self, name: str) -> Path:
        taken = {target.name for target in self._targets}
        stem, dot, ending = name.partition(".")
        numbered = (name if n == 1 else f"{stem}-{n}{dot}{ending}" for n in range(1, 10**6))
        return self._folder / next(choice for choice in numbered if choice not in taken)


def visible(name: str, rules: NameRules) -> str:
    """A name that the daemon takes for a scan, not for one that waits or is ignored."""
    encoded = os.fsencode(name)
    hidden = rules.is_waiting(encoded) or rules.is_ignored(encoded)
    return f"{name}_" if hidden else name
