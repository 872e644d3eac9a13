"""Receiving an upload: streamed from the browser into the inbox, and gone again if it fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from daemon.intake.inbox_scan import NameRules
from daemon.intake.uploads import Upload
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


@dataclass(frozen=True)
class Place:
    """Where uploads go: the inbox and its rules for names, and how many bytes one may have."""

    inbox: Path
    rules: NameRules
    limit: int


class Meter:
    """Counts the bytes of an upload and stops it with HTTP 413 above its limit."""

    def __init__(self, limit: int, count: int = 0) -> None:
        self._limit = limit
        self._count = count

    def add(self, count: int) -> None:
        """Count what has arrived."""
        self._count += count
        if self._count > self._limit:
            raise self.too_large()

    def announce(self, length: int | None) -> None:
        """Refuse at once what says itself that it is too large."""
        if length is not None and self._count + length > self._limit + FRAME:
            raise self.too_large()

    def too_large(self) -> web.HTTPException:
        """The refusal, with the limit in its sentence."""
        said = text("upload.too_large", mb=self._limit // 10**6)
        return web.HTTPRequestEntityTooLarge(max_size=self._limit, text=said)


async def receive(request: web.Request, place: Place, folder_of: FolderOf) -> int:
    """Read the form: its csrf field first, then the patient, then the files; how many there were.

    Who asks with a token sends no csrf field.

    folder_of: gives the patient's folder for the form's choice. Raises web.HTTPException.
    """
    if request.content_type != FORM:
        raise web.HTTPForbidden(text=text("fault.stale_form"))
    meter = Meter(place.limit)
    with _damaged_forms_refused():
        reader = await request.multipart()
        if not request[SESSION].token_id:
            check_csrf(request[SESSION], await _word(reader, "csrf"))
        meter.announce(request.content_length)
        folder = await folder_of(await _word(reader, "patient"))
        async with _all_or_nothing(place, folder) as upload:
            count = 0
            while (part := await in_time(reader.next())) is not None:
                count += await _take(part, upload, meter)
    return count


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


@asynccontextmanager
async def _all_or_nothing(place: Place, folder: str) -> AsyncIterator[Upload]:
    """Names the files at the end, or takes them away after any failure or a lost connection."""
    upload = Upload(place.inbox, folder, place.rules)
    try:
        yield upload
        await asyncio.to_thread(upload.commit)
    except BaseException:
        await asyncio.to_thread(upload.abort)
        raise


async def _word(reader: MultipartReader, name: str) -> str:
    """The next field, which must be the short one of this name; '' for any other."""
    part = await in_time(reader.next())
    if not isinstance(part, BodyPartReader) or part.name != name:
        return ""
    value = b""
    while chunk := await in_time(part.read_chunk()):
        value += chunk
        if len(value) > MOST_WORD:
            return ""
    return value.decode("utf-8", "replace")


async def _take(part: MultipartReader | BodyPartReader, upload: Upload, meter: Meter) -> int:
    """Write one part to the upload; 0 for a field in which no file was chosen."""
    if not isinstance(part, BodyPartReader) or not part.filename:
        return 0
    stream = await asyncio.to_thread(upload.open, part.filename)
    with stream:  # closed after a failure too; the upload takes the file away
        while chunk := await in_time(part.read_chunk(CHUNK)):
            meter.add(len(chunk))
            await asyncio.to_thread(stream.write, chunk)
        await asyncio.to_thread(upload.close, stream)
    return 1
