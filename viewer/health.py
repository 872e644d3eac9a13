"""/healthz: whether the index answers and the daemon still looks through the inbox, and no more."""

from aiohttp import web

from daemon.condition import GRACE_SECONDS, MISSED_LOOKS
from daemon.index.heartbeats import RECONCILE, is_alive
from viewer.keys import INDEX, SETTINGS


async def healthz(request: web.Request) -> web.StreamResponse:
    """`ok`, or 503 and `not ok`."""
    if await is_daemon_alive(request.app):
        return web.Response(text="ok")
    return web.Response(text="not ok", status=503)


async def is_daemon_alive(app: web.Application) -> bool:
    """Whether the daemon has looked through the inbox within the time that a look may take."""
    return await is_alive(app[INDEX], RECONCILE, longest_silence(app))


def longest_silence(app: web.Application) -> float:
    """Seconds after its last look through the inbox from which on the daemon counts as stopped."""
    return MISSED_LOOKS * app[SETTINGS].daemon.reconcile_seconds + GRACE_SECONDS
