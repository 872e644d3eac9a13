"""All files of a scan as one zip, made while it is sent, so that it needs no room anywhere."""

import asyncio
import os
import zipfile
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web

from viewer.keys import SETTINGS
from viewer.lookups import asked_revision

CHUNK = 1 << 20


async def send_zip(request: web.Request) -> web.StreamResponse:
    """`/scans/{scan_id}/all.zip`: every published file under its own name."""
    scan = await asked_revision(request)
    outbox = request.app[SETTINGS].daemon.outbox
    folder = outbox / os.fsdecode(scan.folder)
    files = await asyncio.to_thread(_files, outbox, folder)
    if not files:
        raise web.HTTPNotFound(text="This scan has no files any more.")
    response = web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: "application/zip",
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{scan.scan_id}.zip"',
        }
    )
    await response.prepare(request)
    pieces = zipped(folder, files)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        await response.write(piece)
    await response.write_eof()
    return response


def _files(outbox: Path, folder: Path) -> list[Path]:
    """Every file of a published folder, none that leads out of the outbox."""
    root = outbox.resolve()
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in files if path.resolve().is_relative_to(root)]


class _Drain(RawIOBase):
    """What a zip writes to; it can't be sought in, so sizes follow each file."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._pieces.append(bytes(content))
        return len(content)

    def take(self) -> bytes:
        """What has been written since the last time."""
        content = b"".join(self._pieces)
        self._pieces.clear()
        return content


def zipped(folder: Path, files: list[Path]) -> Iterator[bytes]:
    """The bytes of a zip of these files, stored as they are, named by their paths in `folder`."""
    drain = _Drain()
    with zipfile.ZipFile(drain, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            name = str(file.relative_to(folder)).encode("utf-8", "replace").decode()
            with archive.open(name, "w", force_zip64=True) as entry, file.open("rb") as content:
                while chunk := content.read(CHUNK):
                    entry.write(chunk)
                    yield drain.take()
    yield drain.take()
