"""The web application, put together and served until it is told to stop."""

import asyncio
import errno
import signal
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web

from daemon.background import wish_to_stop
from daemon.index.database import open_index, open_joined, open_records
from daemon.index.people.audit import settle_journal
from daemon.logs import log_to_stderr
from daemon.operations.contradictions import open_door
from daemon.operations.machine import tls_context
from daemon.outputs.catalogue import text
from daemon.outputs.wording import moment_words
from daemon.pipeline.lost_index import until_not_lost
from daemon.records.accounts import Passwords
from daemon.settings import Settings, ViewerSettings
from daemon.settings.reload import SettingsInForce
from model.errors import GliowatchError
from viewer.access import (
    AT_ONCE,
    ROUTE_RULES,
    VIEW_LOG,
    AtOnce,
    RouteRule,
    ViewLog,
    guard,
    route_rules,
)
from viewer.api.stow import keep_posts
from viewer.connections import Runner
from viewer.hospital_login.providers import PROVIDERS, Providers
from viewer.live_updates import SHARED, SharedAnswers, end_streams, live_pages
from viewer.middleware import add_headers, show_faults
from viewer.routes import ROUTES
from viewer.scans.drawing import open_measurer
from viewer.scans.files import send_file
from viewer.scans.slices import THUMBNAILS, Thumbnails, open_slices
from viewer.sessions import INDEX, JOINED, PASSWORDS, RECORDS, SESSIONS, SETTINGS, Sessions
from viewer.templating import id_words, script_sentences
from viewer.upload.staging import keep_desk
from viewer.worklist.rows import KEPT_ROWS, KeptRows, catching_up

HERE = Path(__file__).parent
LARGEST_FORM = 2**20  # bytes; uploads are streamed and counted apart
SHUTDOWN_SECONDS = 5.0
LOCKED_SECONDS = 2.0  # that a page waits for another program that locks the records


class ListenError(GliowatchError):
    """The viewer cannot listen on its address; the sentence says why."""


def make_app(settings: Settings) -> web.Application:
    """The application; it opens index and records when it starts and closes them at its end."""
    app = web.Application(middlewares=[show_faults, guard], client_max_size=LARGEST_FORM)
    app[SETTINGS] = SettingsInForce(settings)
    app[SESSIONS], app[VIEW_LOG], app[PASSWORDS] = Sessions(), ViewLog(), Passwords()
    app[AT_ONCE], app[PROVIDERS] = AtOnce(), Providers(settings.login)
    app[ROUTE_RULES] = route_rules(ROUTES)
    app[THUMBNAILS], app[SHARED], app[KEPT_ROWS] = Thumbnails(), SharedAnswers(), KeptRows()
    app.on_response_prepare.append(add_headers)
    beside = (live_pages, catching_up, open_slices, keep_desk, keep_posts, open_measurer)
    app.cleanup_ctx.extend((_databases, *beside))
    app.on_shutdown.append(end_streams)
    app.add_routes([door.route for door in ROUTES])
    app.router.add_static("/static", HERE / "static")
    app[ROUTE_RULES]["GET", "/static"] = RouteRule(None, web.get("/static", send_file))
    loader = jinja2.FileSystemLoader(HERE / "templates")
    pages = aiohttp_jinja2.setup(
        app, loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.globals |= {"t": text, "script_sentences": script_sentences}
    pages.filters |= {"moment": moment_words, "shown": id_words}
    return app


def serve(settings: Settings, later: Connection | None = None) -> None:
    """Serve until SIGTERM or the parent's end; the parent handles Ctrl-C. Raises ListenError.

    later: brings the settings that are in force from then on.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr()
    asyncio.run(_serve(settings, later))


async def _serve(settings: Settings, later: Connection | None) -> None:
    _refuse_open_doors(settings.viewer)
    tls = tls_context(settings.viewer)
    stop = wish_to_stop()
    viewer, app = settings.viewer, make_app(settings)
    if later is not None:
        asyncio.get_running_loop().add_reader(later, _take_settings, later, app[SETTINGS])
    runner = Runner(app, viewer.trusted_proxies, tls=tls, shutdown_timeout=SHUTDOWN_SECONDS)
    try:
        await runner.setup()
        await _listen(runner, viewer.host, viewer.port)
        await stop.wait()
    finally:
        await runner.cleanup()


def _take_settings(later: Connection, in_force: SettingsInForce) -> None:
    try:
        in_force.now = later.recv()
    except EOFError:  # the parent has ended, and so does this process
        asyncio.get_running_loop().remove_reader(later)


def _refuse_open_doors(viewer: ViewerSettings) -> None:
    """Also here, since others than `gliowatch run` may serve."""
    if sentence := open_door(viewer):
        raise ListenError(sentence)


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        used = error.errno == errno.EADDRINUSE
        why = "another program uses this port" if used else "this machine has no such address"
        raise ListenError(f"The viewer cannot listen on {host}, port {port}: {why}.") from None


async def _databases(app: web.Application) -> AsyncIterator[None]:
    daemon = app[SETTINGS].daemon
    await until_not_lost(daemon)
    async with (
        open_index(daemon.index) as index,
        open_records(daemon.records, LOCKED_SECONDS, reads_apart=True) as records,
    ):
        app[INDEX], app[RECORDS] = index, records
        await settle_journal(records)
        async with open_joined(daemon.index, daemon.records) as joined:
            app[JOINED] = joined
            yield
