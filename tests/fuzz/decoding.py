"""A confined worker of the suite's own that unpacks one file after the other, and may die of it."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.confinement import Bounds
from daemon.pipeline.worker_processes import Slot, WorkerFailed, resident_bytes
from daemon.settings import Allowance
from model.reading.dicom.pixels import picture_digest

ALLOWED = Allowance(20.0, 2 << 30)


class Decoding:
    """ended: how many files were read, refused, or cost the worker its life, and how."""

    def __init__(self, folder: Path) -> None:
        self.ended = Counter[str]()
        self._file = folder / "one.dcm"
        self._loop = asyncio.new_event_loop()
        self._slot = Slot(Bounds((folder,), (), ALLOWED.memory_bytes))

    def unpack(self, content: bytes) -> None:
        """All frames of one file, as the daemon's worker does before it analyzes."""
        self._file.write_bytes(content)
        self.ended[self._loop.run_until_complete(self._end())] += 1

    async def _end(self) -> str:
        try:
            read = await self._slot.run(ALLOWED, picture_digest, self._file)
        except WorkerFailed as failed:
            return type(failed).__name__
        except MemoryError:
            return "too large"
        return "read" if read else "refused"

    def resident(self) -> int:
        """The worker's memory now, in bytes; 0 where it has just died."""
        return resident_bytes(self._slot._pid)

    def close(self) -> None:
        """End the worker."""
        self._slot.close()
        self._loop.close()


@contextmanager
def decoding(folder: Path) -> Iterator[Decoding]:
    """A worker over a folder of its own."""
    folder.mkdir()
    made = Decoding(folder)
    try:
        yield made
    finally:
        made.close()
