"""/healthz: whether the index answers and the daemon still looks through the inbox, and no more."""

from aiohttp import web

from daemon.index.heartbeats import RECONCILE, is_alive
from viewer.keys import INDEX, SETTINGS

MISSED_LOOKS = 3
GRACE_SECONDS = 60.0  # for a start, or for a scan that the next look waits for


async def healthz(request: web.Request) -> web.StreamResponse:
    """`ok`, or 503 and `not ok`."""
    if await is_daemon_alive(request.app):
        return web.Response(text="ok")
    return web.Response(text="not ok", status=503)


async def is_daemon_alive(app: web.Application) -> bool:
    """Whether the daemon has looked through the inbox within the time that a look may take."""
    every = app[SETTINGS].daemon.reconcile_seconds
    return await is_alive(app[INDEX], RECONCILE, MISSED_LOOKS * every + GRACE_SECONDS)
