"""What the upload page's script asks for: hold an upload, take a file, look at all, give it up."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

import aiohttp_jinja2
from aiohttp import web

from daemon.intake.uploads import NotHeld
from viewer.sessions import SESSION
from viewer.templating import CSRF_HEADER, check_csrf
from viewer.upload.form import form_of
from viewer.upload.staging import DESK, Upload, refuse_when_full, refuse_without_inbox
from viewer.uploads_streaming import CHUNK, MEGABYTE, Meter, in_time

NAME_HEADER = "X-File-Path"  # percent-encoded: names of files stand in no address
LONGEST_NAME = 4000  # characters, encoded


async def begin(request: web.Request) -> web.StreamResponse:
    """`POST /upload/held`: hold a new upload; its name."""
    _check(request)
    await refuse_without_inbox(request.app)
    try:
        upload = await request.app[DESK].begin(request[SESSION].key)
    except NotHeld as error:
        raise web.HTTPTooManyRequests(text=str(error)) from None
    return web.json_response({"upload": upload.held.name})


async def take(request: web.Request) -> web.StreamResponse:
    """`PUT /upload/held/{upload}/files`: one file, whole or not at all."""
    _check(request)
    upload = asked_upload(request)
    name = request.headers.get(NAME_HEADER, "")
    if not name or len(name) > LONGEST_NAME:
        raise web.HTTPBadRequest(text="The name of this file is missing or too long.")
    meter = Meter(request.app[DESK].settings.viewer.max_upload_mb * MEGABYTE, upload.received)
    meter.announce(request.content_length)
    await refuse_when_full(request)
    try:
        stream, target = await asyncio.to_thread(upload.held.open, unquote(name))
    except NotHeld as error:
        raise web.HTTPConflict(text=str(error)) from None
    await _receive(request, upload, meter, stream, target)
    return web.Response(status=204)


async def look(request: web.Request) -> web.StreamResponse:
    """`POST /upload/held/{upload}/look`: what was understood, with the form that sends it."""
    _check(request)
    upload = asked_upload(request)
    try:
        await request.app[DESK].look(upload)
    except NotHeld as error:
        raise web.HTTPNotFound(text=str(error)) from None
    values = await form_of(request, upload, await request.post())
    return aiohttp_jinja2.render_template("upload_understood.html", request, values)


async def give_up(request: web.Request) -> web.StreamResponse:
    """`POST /upload/held/{upload}/cancel`: nothing of it is kept."""
    form = await request.post()
    check_csrf(request[SESSION], str(form.get("csrf", request.headers.get(CSRF_HEADER, ""))))
    upload = asked_upload(request)
    request.app[DESK].forget(upload)
    await asyncio.to_thread(upload.held.cancel)
    raise web.HTTPSeeOther("/upload")


def asked_upload(request: web.Request) -> Upload:
    """The upload of the address, if it is of this session; or HTTPNotFound."""
    return request.app[DESK].find(request.match_info["upload"], request[SESSION].key)


def _check(request: web.Request) -> None:
    check_csrf(request[SESSION], request.headers.get(CSRF_HEADER, ""))


async def _receive(
    request: web.Request, upload: Upload, meter: Meter, stream: BinaryIO, target: Path
) -> None:
    """Stream the body to the disk; after any failure nothing of it is left or counted."""
    count = 0
    try:
        with stream:
            async for chunk in _chunks(request):
                count += len(chunk)
                upload.received += len(chunk)
                meter.add(len(chunk))
                await asyncio.to_thread(upload.held.write, stream, chunk)
            await asyncio.to_thread(upload.held.keep, stream, target)
    except NotHeld as error:  # it was given up meanwhile
        raise web.HTTPNotFound(text=str(error)) from None
    except BaseException:
        upload.received -= count
        await asyncio.to_thread(upload.held.drop, target)
        raise


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    """The body as it comes, for as long as it comes."""
    while True:
        chunk = await in_time(request.content.read(CHUNK))
        if not chunk:
            return
        yield chunk
