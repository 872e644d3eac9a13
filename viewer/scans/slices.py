"""Slices as PNG for browsers without WebGL2, and thumbnails for lists."""

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

from aiohttp import hdrs, web
from PIL import Image

from daemon.confinement import bounds_of_slices
from daemon.outputs.catalogue import text
from daemon.pipeline.window_presets import MARKS, WINDOWS, SliceOptions, draw
from daemon.pipeline.worker_processes import SharedSlot, TooManyWait, WorkerFailed
from daemon.settings import Settings
from model.errors import NoSuchSlice
from viewer.lookups import asked_revision, asked_scan
from viewer.scans.files import PNG, ROLES, find_file
from viewer.sessions import SETTINGS

KEPT_BYTES = 64_000_000
MOST_WAITING = 20  # requests; who scrolls on drops those that it no longer wants


class Slices:
    """Draws slices one after the other, and keeps the last ones."""

    def __init__(self, settings: Settings) -> None:
        allowance = settings.viewer.slice_allowance
        self._slot = SharedSlot(bounds_of_slices(settings), allowance, MOST_WAITING)
        self._kept: OrderedDict[tuple[Path, SliceOptions], bytes] = OrderedDict()
        self._bytes = 0

    async def picture(self, folder: Path, look: SliceOptions) -> bytes:
        """A slice as PNG. Raises GliowatchError; TooManyWait if too many wait."""
        async with self._slot.turn():
            return self._known(folder, look) or await self._draw(folder, look)

    def _known(self, folder: Path, look: SliceOptions) -> bytes | None:
        content = self._kept.get((folder, look))
        if content is not None:
            self._kept.move_to_end((folder, look))
        return content

    async def _draw(self, folder: Path, look: SliceOptions) -> bytes:
        content = await self._slot.run(draw, folder, look)
        self._kept[folder, look] = content
        self._bytes += len(content)
        while self._bytes > KEPT_BYTES:
            self._bytes -= len(self._kept.popitem(last=False)[1])
        return content

    def close(self) -> None:
        """End the process."""
        self._slot.close()


SLICES = web.AppKey("slices", Slices)


async def open_slices(app: web.Application) -> AsyncIterator[None]:
    """While the application runs; the process itself starts with the first slice."""
    app[SLICES] = Slices(app[SETTINGS].now)
    yield
    app[SLICES].close()


async def send_slice(request: web.Request) -> web.StreamResponse:
    """`/scans/{scan_id}/slices/{number}.png`: counted from 1; `?marks=`, `window=`, `opacity=`."""
    scan = await asked_revision(request)
    folder = request.app[SETTINGS].daemon.outbox / os.fsdecode(scan.folder)
    if scan.removed_at or not await asyncio.to_thread(folder.is_dir):
        raise web.HTTPNotFound(text=text("fault.no_files"))
    try:
        content = await request.app[SLICES].picture(folder, asked_options(request))
    except NoSuchSlice as error:
        raise web.HTTPNotFound(text=str(error)) from None
    except TooManyWait as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from None
    except WorkerFailed:
        raise web.HTTPServiceUnavailable(text=text("fault.slice_failed")) from None
    return web.Response(body=content, headers={hdrs.CONTENT_TYPE: "image/png"})


def asked_options(request: web.Request) -> SliceOptions:
    """What the address asks for; HTTPNotFound for what no page of ours asks."""
    query = request.query
    try:
        look = SliceOptions(
            int(request.match_info["number"]) - 1,
            int(query.get("window", "1")),
            query.get("marks", "outline"),
            int(query.get("opacity", "40")) / 100,
        )
    except ValueError:
        raise web.HTTPNotFound(text=text("intake.no_slice")) from None
    if look.window not in WINDOWS or look.marks not in MARKS or not 0 <= look.opacity <= 1:
        raise web.HTTPNotFound(text=text("intake.no_slice"))
    return look


async def send_windows(_: web.Request) -> web.StreamResponse:
    """`/static/canvas/window_shares.js`: the presets of window_presets.js and of our slices."""
    shares = {number: (window.black, window.white) for number, window in WINDOWS.items()}
    text = f"export const SHARES = {json.dumps(shares)};\n"
    return web.Response(text=text, content_type="text/javascript")


SIZE = 96  # pixels, of the longer edge
MOST = 2000  # thumbnails in memory; some 10 kilobytes each
AT_ONCE = 2


class Thumbnails:
    """The thumbnails that were asked for last, by their scan's published folder."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def of(self, folder: bytes, picture: Path) -> bytes | None:
        """The thumbnail as PNG; None if the picture cannot be read. What is published stays."""
        if folder not in self._kept:
            async with self._turns:
                small = await asyncio.to_thread(_shrink, picture)
            if small is None:
                return None
            self._kept[folder] = small
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)
        self._kept.move_to_end(folder)
        return self._kept[folder]


async def send_thumbnail(request: web.Request) -> web.StreamResponse:
    """`/scans/{scan_id}/thumb.png`: the overlay of the newest revision, small."""
    scan = await asked_scan(request)
    outbox = request.app[SETTINGS].daemon.outbox
    picture = await asyncio.to_thread(find_file, outbox, scan, ROLES["overlay.png"])
    small = await request.app[THUMBNAILS].of(scan.folder, picture) if picture else None
    if small is None:
        raise web.HTTPNotFound(text=text("fault.no_picture"))
    return web.Response(body=small, content_type=PNG)


def _shrink(picture: Path) -> bytes | None:
    try:
        with Image.open(picture, formats=["PNG"]) as opened:
            opened.thumbnail((SIZE, SIZE))
            small = BytesIO()
            opened.save(small, "PNG")
    except (OSError, ValueError, SyntaxError):  # gone meanwhile, or damaged on the disk
        return None
    return small.getvalue()


THUMBNAILS = web.AppKey("thumbnails", Thumbnails)
