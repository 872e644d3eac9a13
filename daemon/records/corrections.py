"""A person's corrected mask: its bytes are kept, then it is put on record, then it is queued.

Each step finds what a crash left of the one before; nothing here opens the file's content.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from daemon.drops import State
from daemon.index.database import Database
from daemon.index.people.corrections import (
    Correction,
    add_correction,
    new_correction,
    note_made,
    note_refused,
    open_corrections,
    queue_correction,
    queued_state,
    revision_made_of,
)
from daemon.index.scans import ScanRow, find_scan
from daemon.outputs.catalogue import text
from daemon.safe_files import sync_folder
from model.errors import GliowatchError

CORRECTIONS = ".corrections"
PART = ".part"
ENDINGS = (".nii.gz", ".nii", ".png", ".dcm")


class WrongForm(GliowatchError):
    """The name of the file is not that of a mask; the sentence says what is taken."""


class MaskUpload:
    """A corrected mask that arrives piece by piece, written aside until it is whole.

    Its folder is that of the scan below `outbox/.corrections`; its name there is the SHA-256 of
    its bytes. Raises WrongForm for a name without an ending that we take, and OSError.
    """

    def __init__(self, outbox: Path, scan_id: str, claimed_name: str) -> None:
        lower = claimed_name.lower()
        self._ending = next((ending for ending in ENDINGS if lower.endswith(ending)), "")
        if not self._ending:
            raise WrongForm(text("correction.wrong_form"))
        self._folder = outbox / CORRECTIONS / scan_id
        self._folder.parent.mkdir(exist_ok=True)  # never the outbox itself: it may be away
        self._folder.mkdir(exist_ok=True)
        self._part = self._folder / f"{secrets.token_hex(8)}{PART}"
        self._stream = self._part.open("xb")
        self._digest = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """The next piece."""
        self._digest.update(piece)
        self._stream.write(piece)

    def keep(self) -> str:
        """All of it has come: safely on the disk under its name, which is given back."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        name = f"{self._digest.hexdigest()}{self._ending}"
        self._part.rename(self._folder / name)
        for folder in (self._folder, self._folder.parent, self._folder.parent.parent):
            sync_folder(folder)
        return name

    def abort(self) -> None:
        """Take it away again, unless it is kept."""
        self._stream.close()
        self._part.unlink(missing_ok=True)


async def enter_correction(
    index: Database,
    records: Database,
    scan: ScanRow,
    file: str,
    *,
    seen_revision: int,
    says_empty: bool,
    comment: str,
    by: str,
) -> Correction:
    """Put a mask that was kept on record, and queue it. What a crash leaves, `settle` finds."""
    correction = new_correction(
        scan.scan_id, seen_revision, file=file, says_empty=says_empty, comment=comment, by=by
    )
    await add_correction(records, correction)
    await queue_correction(index, correction, scan.patient_id)
    return correction


async def settle(index: Database, records: Database) -> None:
    """Bring the records in line with the index: each open correction was made, refused, or waits.

    One that the index does not know, as after a crash or a rebuild, is queued.
    """
    for correction in await open_corrections(records):
        key, scan_id = correction.correction_key, correction.scan_id
        made = await revision_made_of(index, scan_id, key)
        queued = await queued_state(index, correction)
        if made is not None:
            await note_made(records, made.report)
        elif queued is None:
            scan = await find_scan(index, scan_id)
            if scan is not None:  # else its scan is not known yet, or any more: it stays open
                await queue_correction(index, correction, scan.patient_id)
        elif queued[0] is State.REJECTED and queued[1]:
            await note_refused(records, key, queued[1])


def file_of(outbox: Path, correction: Correction) -> Path:
    """Where the bytes of a corrected mask lie."""
    return outbox / CORRECTIONS / correction.scan_id / correction.file


def kept_files(outbox: Path) -> Iterator[Path]:
    """Every corrected mask that is kept whole, by path."""
    for path in sorted((outbox / CORRECTIONS).glob("*/*")):
        if path.is_file() and path.suffix != PART:
            yield path


def move_corrections(outbox: Path, scan_id: str, into: Path) -> None:
    """What was corrected goes with its scan, into another folder of the outbox."""
    folder = outbox / CORRECTIONS / scan_id
    if folder.is_dir():
        target = into / CORRECTIONS / scan_id
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
