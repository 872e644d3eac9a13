"""/healthz: whether the index answers and the daemon still looks through the inbox, and no more."""

from aiohttp import web

from daemon.condition import GRACE_SECONDS, MISSED_LOOKS
from daemon.index.heartbeats import RECONCILE, is_alive
from viewer.keys import INDEX, SETTINGS


async def healthz(request: web.Request) -> web.StreamResponse:
    """`ok`, or 503 and `not ok`."""
    every = request.app[SETTINGS].daemon.reconcile_seconds
    if await is_alive(request.app[INDEX], RECONCILE, MISSED_LOOKS * every + GRACE_SECONDS):
        return web.Response(text="ok")
    return web.Response(text="not ok", status=503)
