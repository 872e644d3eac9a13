"""Files from the viewer's form into the inbox, like any drop: written aside, then given names."""

import os
import secrets
from pathlib import Path
from typing import BinaryIO

from daemon.names import file_name

PART = ".part"


class Upload:
    """One upload into a folder of its own below the patient's.

    Every file is written with the ending `.part`, which the daemon waits for; `commit` syncs
    and names them all, `abort` takes them away again. Nothing is ever overwritten.
    """

    def __init__(self, inbox: Path, patient_id: str) -> None:
        self._folder = inbox / patient_id / f"upload-{secrets.token_hex(6)}"
        self._streams: list[tuple[BinaryIO, Path]] = []

    def open(self, claimed_name: str) -> BinaryIO:
        """A stream for the next file; its name is made safe and, if taken, numbered."""
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._free(file_name(claimed_name))
        stream = Path(f"{target}{PART}").open("xb")  # noqa: SIM115 - closed by commit or abort
        self._streams.append((stream, target))
        return stream

    def commit(self) -> int:
        """Sync and name all files; how many there were."""
        for stream, _ in self._streams:
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
        for _, target in self._streams:
            Path(f"{target}{PART}").rename(target)
        return len(self._streams)

    def abort(self) -> None:
        """Take every file of this upload away again."""
        for stream, target in self._streams:
            stream.close()
            Path(f"{target}{PART}").unlink(missing_ok=True)
        if self._folder.exists() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _free(self, name: str) -> Path:
        taken = {target.name for _, target in self._streams}
        stem, dot, ending = name.partition(".")
        numbered = (name if n == 1 else f"{stem}-{n}{dot}{ending}" for n in range(1, 10**6))
        return self._folder / next(choice for choice in numbered if choice not in taken)
