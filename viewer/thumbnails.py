"""Small pictures of scans for lists, made once from the published overlay and kept in memory."""

import asyncio
from collections import OrderedDict
from io import BytesIO
from pathlib import Path

from aiohttp import web
from PIL import Image

from viewer.keys import SETTINGS
from viewer.lookups import asked_scan
from viewer.scan_files import PNG, ROLES, find_file

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
        raise web.HTTPNotFound(text="This scan has no picture.")
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
