"""What a browser sends in a form: only in UTF-8, of the form's own kind, in time, within limits.

A body is refused by its head, before anything of it is parsed. aiohttp's own `request.post()`
decodes with whatever codec the client names, and some take minutes for a megabyte.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import MultiDict

from daemon.outputs.catalogue import text
from viewer.sessions import SESSION, Session, same_secret

UTF8 = ("utf-8", "utf8")
PLAIN, FORM = "application/x-www-form-urlencoded", "multipart/form-data"
CSRF_HEADER = "X-CSRF-Token"  # what htmx sends with each of its requests
MOST_FIELDS = 5000  # a page of 200 scans of an upload has five a scan
MOST_PARTS = 20  # of a form that brings one file
MOST_DIGITS = 15  # what SQLite holds in any case
MOST_WORD = 200  # bytes: a form's short fields
BODY_SECONDS = 30.0  # for a body that is read whole, of a megabyte at most
STALLED_SECONDS = 60.0  # without a byte
SLOWEST = 1000  # bytes a second, on average once it has lasted so long
CHUNK = 1 << 18  # bytes
FREE = 200  # bytes: what stands around a part
Came = TypeVar("Came")


def check_head(request: web.Request) -> None:
    """HTTPUnsupportedMediaType for a body that says to be packed, or in anything but UTF-8."""
    is_packed = request.headers.get("Content-Encoding", "identity").lower() != "identity"
    if is_packed or (request.charset or UTF8[0]).lower() not in UTF8:
        raise web.HTTPUnsupportedMediaType(text=text("fault.not_utf8"))


def check_csrf(session: Session, claimed: str) -> None:
    """HTTPForbidden unless the form came from one of this session's own pages."""
    if not same_secret(claimed, session.csrf):
        raise web.HTTPForbidden(text=text("fault.stale_form"))


def whole_number(typed: str, or_else: int = 0) -> int:
    """A number as a form or an address names one, from 0; or_else for anything else."""
    is_one = typed.isascii() and typed.isdecimal() and len(typed) <= MOST_DIGITS
    return int(typed) if is_one else or_else


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields of a posted form of this session; HTTPForbidden for any other."""
    return dict(await read_lists(request))


async def read_lists(request: web.Request) -> MultiDict[str]:
    """The same, for a form that may have several fields of one name."""
    form = await read_fields(request)
    check_csrf(request[SESSION], form.get("csrf", request.headers.get(CSRF_HEADER, "")))
    return form


async def read_fields(request: web.Request) -> MultiDict[str]:
    """The fields of a form without files; HTTPUnsupportedMediaType, HTTPBadRequest for others."""
    if not request.body_exists:
        return MultiDict()
    if request.content_type != PLAIN:
        raise web.HTTPUnsupportedMediaType(text=text("fault.not_the_form"))
    body = await read_whole(request)
    with damage_refused():
        return MultiDict(
            parse_qsl(
                body.decode("utf-8"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=MOST_FIELDS,
            )
        )


async def read_whole(request: web.Request) -> bytes:
    """A body that is not large; HTTPRequestTimeout, HTTPBadRequest if it does not come whole."""
    with damage_refused():
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout(text=text("fault.slow_body")) from None


class Pace:
    """How fast a body comes; HTTPRequestTimeout for one that only drips."""

    def __init__(self) -> None:
        self._began, self._count = time.monotonic(), 0

    def add(self, count: int) -> None:
        """So many bytes more have come."""
        self._count += count
        lasted = time.monotonic() - self._began
        if lasted > STALLED_SECONDS and self._count < SLOWEST * lasted:
            raise web.HTTPRequestTimeout(text=text("upload.too_slow"))


class FormReader:
    """The parts of a form with files, one after another. Raises web.HTTPException for damage."""

    def __init__(self, reader: MultipartReader, most_parts: int) -> None:
        self._reader, self._left, self._pace = reader, most_parts, Pace()

    @classmethod
    async def open(cls, request: web.Request, most_parts: int = MOST_PARTS) -> "FormReader":
        """What follows the csrf field, which comes first; HTTPForbidden for no form of ours.

        Who asks with a token sends no csrf field.
        """
        if request.content_type != FORM:
            raise web.HTTPForbidden(text=text("fault.stale_form"))
        with damage_refused():
            parts = cls(await request.multipart(), most_parts)
        if not request[SESSION].token_id:
            check_csrf(request[SESSION], await parts.word("csrf"))
        return parts

    async def next(self) -> "FormPart | None":
        """The next part; None at the end."""
        self._left -= 1
        if self._left < 0:
            raise web.HTTPBadRequest(text=text("fault.damaged_form"))
        self._pace.add(FREE)
        with damage_refused():
            part = await in_time(self._reader.next())
            if isinstance(part, MultipartReader):
                raise ValueError("a form in a form")
            return FormPart(part, self._pace) if part is not None else None

    async def word(self, name: str) -> str:
        """The next field, which must be the short one of this name; '' for any other."""
        part = await self.next()
        if part is None or part.name != name:
            return ""
        return (await part.value(MOST_WORD) or b"").decode("utf-8", "replace")


class FormPart:
    """One field of a form, or one file. filename: '' for a plain field; kind: '' if not told."""

    def __init__(self, part: BodyPartReader, pace: Pace) -> None:
        self._part, self._pace = part, pace
        self.name, self.filename = part.name or "", part.filename or ""
        self.kind = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    async def read(self, size: int) -> bytes:
        """The next bytes of it; none at the end."""
        with damage_refused():
            return await self._part.read_chunk(size)

    async def pieces(self) -> AsyncIterator[bytes]:
        """What comes, for as long as it comes."""
        while piece := await in_time(self.read(CHUNK)):
            self._pace.add(len(piece))
            yield piece

    async def value(self, most: int) -> bytes | None:
        """All of it; None where it is longer than `most` bytes."""
        value = b""
        async for piece in self.pieces():
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
def damage_refused() -> Iterator[None]:
    """HTTPBadRequest for a body that breaks off, or that cannot be unpacked, decoded or split."""
    try:
        yield
    except (
        *(ValueError, AssertionError, RuntimeError, LookupError),
        *(HttpProcessingError, web.RequestPayloadError),
    ):
        raise web.HTTPBadRequest(text=text("fault.damaged_form")) from None
