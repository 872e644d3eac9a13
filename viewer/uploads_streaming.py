"""Receiving an upload: streamed from the browser to the disk, and gone again if it fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from daemon.drops import file_name
from daemon.intake.uploads import StagedUpload, UploadFault
from daemon.outputs.catalogue import text
from viewer.sessions import SESSION
from viewer.templating import check_csrf

CHUNK = 1 << 18  # bytes
FRAME = 1 << 16  # bytes: what a form adds around its files, at most
MEGABYTE = 10**6
STALLED_SECONDS = 60.0  # without a byte
MOST_WORD = 200  # bytes: a form's short fields
FORM = "multipart/form-data"
Came = TypeVar("Came")
FolderOf = Callable[[str], Awaitable[str]]
Read = Callable[[int], Awaitable[bytes]]


class Meter:
    """Counts the bytes of an upload, all its files together; HTTP 413 above its limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0

    def add(self, count: int) -> None:
        """Count what has arrived."""
        self._count += count
        if self._count > self._limit:
            raise self.too_large()

    def take_back(self, count: int) -> None:
        """What arrived of a file that broke off was not kept."""
        self._count -= count

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
    if request.content_type != FORM:
        raise web.HTTPForbidden(text=text("fault.stale_form"))
    with _damaged_forms_refused():
        reader = await request.multipart()
        if not request[SESSION].token_id:
            check_csrf(request[SESSION], await _word(reader, "csrf"))
        meter.announce(request.content_length)
        folder = await folder_of(await _word(reader, "patient"))
        held = await asyncio.to_thread(hold)
        try:
            await _take_files(reader, held, meter)
            if held.count:
                await asyncio.to_thread(held.send, folder)
        finally:
            await asyncio.to_thread(held.cancel)
    return held.count


async def _take_files(reader: MultipartReader, held: StagedUpload, meter: Meter) -> None:
    """The rest of the form, without its fields in which no file was chosen."""
    while (part := await in_time(reader.next())) is not None:
        if isinstance(part, BodyPartReader) and part.filename:
            await receive_file(held, file_name(part.filename), part.read_chunk, meter)


async def receive_file(held: StagedUpload, claimed_path: str, read: Read, meter: Meter) -> None:
    """Stream one file into an upload; after any failure nothing of it is left or counted."""
    stream, target = await _open(held, claimed_path)
    count = 0
    try:
        with stream:
            async for piece in pieces(read):
                count += len(piece)
                meter.add(len(piece))
                await asyncio.to_thread(held.write, stream, piece)
            await asyncio.to_thread(held.keep, stream, target)
    except UploadFault as error:  # it was given up meanwhile
        raise web.HTTPNotFound(text=str(error)) from None
    except BaseException:
        meter.take_back(count)
        await asyncio.to_thread(held.drop, target)
        raise


async def _open(held: StagedUpload, claimed_path: str) -> tuple[BinaryIO, Path]:
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


async def pieces(read: Read) -> AsyncIterator[bytes]:
    """What comes, for as long as it comes."""
    while piece := await in_time(read(CHUNK)):
        yield piece


async def read_field(part: BodyPartReader, most: int) -> bytes | None:
    """A field of a form; None where it is longer than `most` bytes."""
    value = b""
    async for piece in pieces(part.read_chunk):
        value += piece
        if len(value) > most:
            return None
    return value


async def in_time(coming: Awaitable[Came]) -> Came:
    """What comes next, or HTTPRequestTimeout: nobody keeps a connection busy with nothing."""
    try:
        async with asyncio.timeout(STALLED_SECONDS):
            return await coming
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=text("upload.stalled")) from None


@contextmanager
def _damaged_forms_refused() -> Iterator[None]:
    """Gives what aiohttp raises about a form that breaks off or has no boundary its sentence."""
    try:
        yield
    except (ValueError, HttpProcessingError):
        raise web.HTTPBadRequest(text=text("upload.damaged")) from None


async def _word(reader: MultipartReader, name: str) -> str:
    """The next field, which must be the short one of this name; '' for any other."""
    part = await in_time(reader.next())
    if not isinstance(part, BodyPartReader) or part.name != name:
        return ""
    return (await read_field(part, MOST_WORD) or b"").decode("utf-8", "replace")
