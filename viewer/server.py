"""The web application, put together and served until it is told to stop."""

import asyncio
import errno
import multiprocessing
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web

from daemon.index.database import open_index, open_records
from daemon.index.joined import open_joined
from daemon.logs import log_to_stderr
from daemon.settings import Settings
from model.errors import GliowatchError
from viewer.access import guard
from viewer.faults import show_faults
from viewer.headers import add_headers
from viewer.keys import INDEX, JOINED, RECORDS, SESSIONS, SETTINGS
from viewer.live import end_streams, live_pages
from viewer.routes import ROUTES
from viewer.sessions import Sessions

HERE = Path(__file__).parent
LARGEST_FORM = 2**20  # bytes; uploads are streamed and counted apart
SHUTDOWN_SECONDS = 5.0


class ListenError(GliowatchError):
    """The viewer cannot listen on its address; the sentence says why."""


def make_app(settings: Settings, token: str) -> web.Application:
    """The application; it opens index and records when it starts and closes them at its end."""
    app = web.Application(middlewares=[show_faults, guard], client_max_size=LARGEST_FORM)
    app[SETTINGS] = settings
    app[SESSIONS] = Sessions(token)
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.extend((_databases, live_pages))
    app.on_shutdown.append(end_streams)
    app.add_routes(ROUTES)
    app.router.add_static("/static", HERE / "static")
    loader = jinja2.FileSystemLoader(HERE / "templates")
    aiohttp_jinja2.setup(app, loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return app


def serve(settings: Settings, token: str) -> None:
    """Serve until SIGTERM or the parent's end; the parent handles Ctrl-C. Raises ListenError."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr()
    asyncio.run(_serve(settings, token))


async def _serve(settings: Settings, token: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if parent := multiprocessing.parent_process():
        loop.add_reader(parent.sentinel, stop.set)  # a killed parent must not leave the port taken
    # No access log: addresses hold the token once, and who looked at what is the audit's matter.
    runner = web.AppRunner(
        make_app(settings, token), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS
    )
    try:
        await runner.setup()
        await _listen(runner, settings.viewer.host, settings.viewer.port)
        await stop.wait()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        used = error.errno == errno.EADDRINUSE
        why = "another program uses this port" if used else "this machine has no such address"
        raise ListenError(f"The viewer cannot listen on {host}, port {port}: {why}.") from None


async def _databases(app: web.Application) -> AsyncIterator[None]:
    daemon = app[SETTINGS].daemon
    async with open_index(daemon.index) as index, open_records(daemon.records) as records:
        app[INDEX], app[RECORDS] = index, records
        async with open_joined(daemon.index, daemon.records) as joined:
            app[JOINED] = joined
            yield
