"""Receiving an upload: streamed from the browser to the disk, and gone again if it fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from aiohttp import web

from daemon.drops import file_name
from daemon.intake.uploads import StagedUpload, UploadFault
from daemon.operations.status import has_room
from daemon.outputs.catalogue import text
from viewer.request_forms import CHUNK, FormReader, Pace, damage_refused, in_time

FRAME = 1 << 16  # bytes: what a form adds around its files, at most
MEGABYTE = 10**6
LOOKED_EACH = 16 * MEGABYTE  # after so many bytes more the room is looked at again
MOST_FILES = 5000  # in one upload
FolderOf = Callable[[str], Awaitable[str]]


class Holding(Protocol):
    """What files are streamed into: an upload, or the objects of a request."""

    def open(self, claimed_path: str) -> tuple[BinaryIO, Path]:
        """A stream for the next file, and the name that `keep` gives it."""

    def write(self, stream: BinaryIO, chunk: bytes) -> None:
        """More of it has come."""

    def keep(self, stream: BinaryIO, target: Path) -> None:
        """It has come whole."""

    def drop(self, target: Path) -> None:
        """It broke off."""


class Meter:
    """Counts the bytes of an upload, all its files together; HTTP 413 above its limit.

    folder: where it is written; reserve: bytes that have to stay free there, HTTP 507 below them.
    """

    def __init__(self, limit: int, folder: Path, reserve: float) -> None:
        self._limit, self._folder, self._reserve = limit, folder, reserve
        self._count, self._looked_at = 0, 0

    async def add(self, count: int) -> None:
        """Count what has arrived, and look now and then whether there is room for more."""
        self._count += count
        if self._count > self._limit:
            raise self.too_large()
        if self._count - self._looked_at >= LOOKED_EACH:
            self._looked_at = self._count
            await self.refuse_when_full()

    async def refuse_when_full(self, coming: int = 0) -> None:
        """What arrives must leave the disk the reserve that the daemon needs to analyze at all."""
        if not await asyncio.to_thread(has_room, self._folder, self._reserve + coming):
            raise web.HTTPInsufficientStorage(text=text("upload.disk_full"))

    def take_back(self, count: int) -> None:
        """What arrived of a file that broke off was not kept."""
        self._count -= count
        self._looked_at = min(self._looked_at, self._count)

    def announce(self, length: int | None) -> None:
        """Refuse at once what says itself that it is too large."""
        if length is not None and self._count + length > self._limit + FRAME:
            raise self.too_large()

    def too_large(self) -> web.HTTPException:
        """The refusal, with the limit in its sentence."""
        said = text("upload.too_large", mb=self._limit // 10**6)
        return web.HTTPRequestEntityTooLarge(max_size=self._limit, text=said)


async def receive(
    request: web.Request, hold: Callable[[], StagedUpload], meter: Meter, folder_of: FolderOf
) -> int:
    """Read the form: its csrf field first, then the patient, then the files; how many there were.

    Who asks with a token sends no csrf field.

    hold: makes the upload, which is sent at the end, or after any failure leaves nothing.
    folder_of: gives the patient's folder for the form's choice. Raises web.HTTPException.
    """
    parts = await FormReader.open(request, MOST_FILES)
    meter.announce(request.content_length)
    folder = await folder_of(await parts.word("patient"))
    held = await asyncio.to_thread(hold)
    try:
        await _take_files(parts, held, meter)
        if held.count:
            await asyncio.to_thread(held.send, folder)
    finally:
        await asyncio.to_thread(held.cancel)
    return held.count


async def _take_files(parts: FormReader, held: StagedUpload, meter: Meter) -> None:
    """The rest of the form, without its fields in which no file was chosen."""
    while (part := await parts.next()) is not None:
        if part.filename:
            await receive_file(held, file_name(part.filename), part.pieces(), meter)


async def receive_file(
    held: Holding, claimed_path: str, coming: AsyncIterator[bytes], meter: Meter
) -> None:
    """Stream one file into what holds it; after any failure nothing of it is left or counted."""
    stream, target = await _open(held, claimed_path)
    count = 0
    try:
        with stream:
            async for piece in coming:
                count += len(piece)
                await meter.add(len(piece))
                await asyncio.to_thread(held.write, stream, piece)
            await asyncio.to_thread(held.keep, stream, target)
    except UploadFault as error:  # it was given up meanwhile
        raise web.HTTPNotFound(text=str(error)) from None
    except BaseException:
        meter.take_back(count)
        await asyncio.to_thread(held.drop, target)
        raise


async def _open(held: Holding, claimed_path: str) -> tuple[BinaryIO, Path]:
    """What `StagedUpload.open` gives; a request that ends meanwhile leaves no open file."""
    opening = asyncio.ensure_future(asyncio.to_thread(held.open, claimed_path))
    try:
        return await asyncio.shield(opening)
    except UploadFault as error:
        raise web.HTTPConflict(text=str(error)) from None
    except asyncio.CancelledError:
        await asyncio.wait([opening])
        if opening.exception() is None:
            stream, target = opening.result()
            stream.close()
            held.drop(target)
        raise


async def pieces(request: web.Request) -> AsyncIterator[bytes]:
    """A body that is one file, as it comes."""
    with damage_refused():
        pace = Pace()
        while piece := await in_time(request.content.read(CHUNK)):
            pace.add(len(piece))
            yield piece
