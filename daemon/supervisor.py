"""`gliowatch run`: the daemon in this process; viewer, DICOM node, sender and others beside it."""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from daemon.index.database import open_records
from daemon.index.people.accounts import list_accounts
from daemon.logs import log_to_stderr, logged_to_file
from daemon.operations.machine import free_port, refuse_contradictions
from daemon.outputs.catalogue import text
from daemon.service import run_daemon
from daemon.settings import DicomSettings, Settings, SettingsError, ViewerSettings, load_settings
from daemon.settings.reload import SettingsInForce, difference, with_keys, without_path
from model.errors import GliowatchError

log = logging.getLogger(__name__)


class AddressTaken(GliowatchError):
    """The viewer's address, or the node's, is in use, or is none of this machine."""


FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0  # before what ended starts again
STEADY_SECONDS = 60.0  # what ran for so long had started well
STDIN = 0
PATIENCE_SECONDS = 8.0  # from the wish to stop to an end without ceremony
Serve = Callable[[Settings, Connection], None]  # which brings later settings


def run_all(
    settings: Settings, once: bool, serve: Serve, say: Callable[[str], object], file: Path
) -> int:
    """Work until Ctrl-C or SIGTERM; with `once`, drain the inbox without a viewer.

    `say` gets the viewer's address; file: of the settings, read again at SIGHUP. The exit code: 1
    if a scan was rejected in a run with `once`, else 0. Raises GliowatchError when it cannot begin.
    """
    log_to_stderr()
    log = settings.log
    with logged_to_file(log.file, log.file_bytes, log.files):
        if once:
            beside = [_Beside("scheduler", carry, settings)] if settings.workers.on else []
            return asyncio.run(_work(SettingsInForce(settings), beside, None))
        return _run_on(settings, serve, say, file)


def _run_on(settings: Settings, serve: Serve, say: Callable[[str], object], file: Path) -> int:
    asked, settings = settings, _with_address(settings)
    say(f"The pages are at {address_of(settings.viewer)}")
    if not asyncio.run(_has_accounts(settings)):
        say("Nobody can log in yet: gliowatch users add NAME --role admin")
    beside = [_Beside("viewer", serve, settings)]
    dicom = settings.dicom
    if dicom.sorts:
        beside.append(_Beside("node", receive, settings))
    if dicom.on:
        say(f"Studies are received as {dicom.ae_title} on {dicom.host}, port {dicom.port}")
    if dicom.priors.on:
        beside.append(_Beside("priors", fetch_priors, settings))
        say(f"Earlier studies are fetched from {dicom.priors.pacs}")
    if settings.receivers:
        beside.append(_Beside("sender", send, settings))
        say(f"Results go to {', '.join(to.name for to in settings.receivers)}")
    if settings.workers.on:
        beside.append(_Beside("scheduler", carry, settings))
        say(f"Workers of other machines report to {settings.workers.address}")
    if settings.notify.to:
        start = secrets.randbits(62) + 1
        beside.append(_Beside("notifier", partial(notify, start=start), settings))
        say(f"Notifications go to {', '.join(to.name for to in settings.notify.to)}")
    in_force = SettingsInForce(settings)
    asyncio.run(_work(in_force, beside, _Reload(file, asked, in_force, beside)))
    return 0


def receive(settings: Settings, _later: Connection) -> None:
    """The DICOM node, in its process: its library is loaded there alone."""
    from daemon.dicom_node.node import serve

    serve(settings)


def send(settings: Settings, _later: Connection) -> None:
    """The sender, in its process."""
    from daemon.destinations.process import serve

    serve(settings)


def notify(settings: Settings, _later: Connection, start: int) -> None:
    """What tells people, in its process: it is there to tell when this one is not. start: of this
    one a number that no other start has; in a container, process ids are all alike."""
    from daemon.notifications.process import serve

    serve(settings, start)


def fetch_priors(settings: Settings, _later: Connection) -> None:
    """What fetches earlier studies, in its process: a PACS that hangs holds up nothing else."""
    from daemon.priors.process import serve

    serve(settings)


def carry(settings: Settings, _later: Connection) -> None:
    """What carries scans to other machines, in its process."""
    from daemon.machines.scheduler import serve

    serve(settings.workers)


def address_of(viewer: ViewerSettings) -> str:
    """Where the pages are, for a browser on this machine."""
    host = f"[{viewer.host}]" if ":" in viewer.host else viewer.host
    return f"{'https' if viewer.tls_certificate else 'http'}://{host}:{viewer.port}/"


async def _has_accounts(settings: Settings) -> bool:
    async with open_records(settings.daemon.records) as records:
        return any(each.enabled for each in await list_accounts(records))


class _Beside:
    """A process beside the daemon, such as the viewer, started again when it ends."""

    def __init__(self, name: str, serve: Serve, settings: Settings) -> None:
        self._name = name
        self._settings = settings
        self._serve = serve
        self._later: Connection | None = None

    def change(self, settings: Settings) -> None:
        """It hears of other settings, and is started with them from now on."""
        self._settings = settings
        if self._later is not None:
            with contextlib.suppress(OSError):  # it has ended, and starts again with them
                self._later.send(settings)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep it alive for as long as the context is open."""
        keeper = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            process, began_at = self._start(), time.monotonic()
            try:
                await asyncio.to_thread(process.join)
            except asyncio.CancelledError:
                process.terminate()
                raise
            log.warning("%s_ended", self._name)
            if time.monotonic() - began_at >= STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _start(self) -> SpawnProcess:
        context = multiprocessing.get_context("spawn")
        if self._later is not None:
            self._later.close()
        later, self._later = context.Pipe(duplex=False)
        # Not a daemonic one: those may have no children, and slices are drawn and uploads opened
        # in some. It ends with this process all the same, since it watches for that.
        process = context.Process(target=self._serve, args=(self._settings, later))
        process.start()
        later.close()  # the process has it
        return process


class _Reload:
    """The settings file read again. asked: what it said, with ports as they stand there."""

    def __init__(
        self, file: Path, asked: Settings, in_force: SettingsInForce, beside: list[_Beside]
    ) -> None:
        self._file, self._asked = file, asked
        self._in_force, self._beside = in_force, beside

    def __call__(self) -> None:
        """Change what can change now; a file with a fault changes nothing. The log says which."""
        try:
            new = load_settings(self._file)
            refuse_contradictions(new, with_viewer=True)
        except SettingsError as error:
            told = text("reload.refused", why=without_path(str(error), self._file))
            log.error("settings_not_reloaded", extra={"sentence": told})
            return
        found = difference(self._asked, new)
        self._asked = with_keys(self._asked, new, found.changed)
        self._in_force.now = with_keys(self._in_force.now, new, found.changed)
        for each in self._beside:
            each.change(self._in_force.now)
        log.info("settings_reloaded", extra={"settings": found.changed})
        for key in found.kept:
            told = text("reload.kept", key=key)
            log.warning("setting_needs_start", extra={"settings": [key], "sentence": told})


async def _work(
    settings: SettingsInForce, beside: list[_Beside], reload: Callable[[], None] | None
) -> int:
    """Without `reload`, drain the inbox."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _ask_to_stop, loop, stop)
    if reload is not None and not os.isatty(STDIN):  # a terminal that closes ends it, as ever
        loop.add_signal_handler(signal.SIGHUP, reload)
    async with contextlib.AsyncExitStack() as stack:
        for each in beside:
            await stack.enter_async_context(each.running())
        return await run_daemon(settings, reload is None, stop)


def _ask_to_stop(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    stop.set()
    loop.call_later(PATIENCE_SECONDS, _end_at_once)


def _end_at_once() -> None:
    """A database that is locked, or a disk that hangs, does not hold up the end.

    It loses no more than a crash would: what ran is found at the next start, and waits again.
    """
    log.warning("stopped_at_once")
    for process in multiprocessing.active_children():
        process.kill()
    os._exit(0)


def _with_address(settings: Settings) -> Settings:
    """The settings with real ports. Raises AddressTaken."""
    port = usable_port(settings.viewer.host, settings.viewer.port)
    viewer = settings.viewer.model_copy(update={"port": port})
    dicom = settings.dicom
    if dicom.on:
        dicom = dicom.model_copy(update={"port": _nodes_port(dicom)})
    return settings.model_copy(update={"viewer": viewer, "dicom": dicom})


def _nodes_port(dicom: DicomSettings) -> int:
    try:
        return free_port(dicom.host, dicom.port)
    except OSError:
        raise AddressTaken(
            f"The DICOM node cannot listen on {dicom.host}, port {dicom.port}: if another program"
            " has it, set dicom.port in settings.toml to another one, or to 0 for any."
        ) from None


def usable_port(host: str, port: int) -> int:
    """`port`, or a free one for 0. Raises AddressTaken before anything has begun."""
    try:
        return free_port(host, port)
    except OSError:
        raise AddressTaken(
            f"The viewer cannot listen on {host}, port {port}: if another program has it,"
            " set viewer.port in settings.toml to another one, or to 0 for any."
        ) from None
