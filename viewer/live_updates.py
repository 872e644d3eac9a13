"""Live pages: one task asks once a second what has changed, and wakes all listeners.

When something has changed, every open worklist asks for its rows at once. Those that ask the same
share one answer until the next change is told (`viewer/live_updates.py`), so that a page more costs
little.

`GET /live` is a stream of server-sent events (HTML Living Standard, 9.2): `changed` when it begins
and whenever a database or the daemon's life has changed, `alive` in between, `crowded` at the end
of a stream that another one of its session has displaced.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web

from daemon.index.database import change_marks
from daemon.outputs.catalogue import text
from viewer.login import is_open
from viewer.monitoring import is_daemon_alive
from viewer.sessions import JOINED, SESSION

MOST_KEPT = 200


class SharedAnswers:
    """Answers as text, of one turn: a number that grows with every change that pages are told."""

    def __init__(self) -> None:
        self._turn = 0
        self._made: dict[Hashable, asyncio.Future[str]] = {}

    async def get(self, turn: int, key: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        """What `make` gives, or has given in this turn under the same key; errors are not kept."""
        if turn != self._turn or len(self._made) >= MOST_KEPT:
            self._turn, self._made = turn, {}
        if key not in self._made:
            self._made[key] = asyncio.ensure_future(make())
        made = self._made
        try:
            return await asyncio.shield(made[key])
        except Exception:
            made.pop(key, None)
            raise


SHARED = web.AppKey("shared", SharedAnswers)


LOG = logging.getLogger(__name__)
ASK_SECONDS = 1.0
SECONDS_EACH = 0.04  # by which a page more makes all be told later: 50 of them after 2 s
ALIVE_SECONDS = 10.0  # a page that hears nothing for twice as long takes the line for lost
WRITE_SECONDS = 10.0  # a browser that takes nothing for so long is given up
RETRY_MS = 2000  # milliseconds after which a browser tries again
MOST_STREAMS = 500
MOST_OF_SESSION = 4  # browsers keep six connections to one server: the pages need some as well
MOST_OF_ACCOUNT = 100  # streams, so that no account has them all


class Listener:
    """One stream's ear. session, account_id: whose it is."""

    def __init__(self, session: str, account_id: int) -> None:
        self.session, self.account_id = session, account_id
        self._woken = asyncio.Event()
        self._last_word: str | None = None

    def wake(self) -> None:
        """Something has changed."""
        self._woken.set()

    def end(self, last_word: str = "") -> None:
        """There will be nothing more but this word."""
        self._last_word = last_word
        self._woken.set()

    async def messages(self) -> AsyncIterator[str]:
        """The names of the events to send, until the end."""
        yield "changed"
        while self._last_word is None:
            try:
                async with asyncio.timeout(ALIVE_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                yield "alive"
                continue
            if self._last_word is None:
                self._woken.clear()
                yield "changed"
        if self._last_word:
            yield self._last_word


class Live:
    """All streams of the process. ask: gives a value that differs once something has changed."""

    def __init__(self, ask: Callable[[], Awaitable[Hashable]]) -> None:
        self._ask = ask
        self._known: Hashable = None
        self._listeners: list[Listener] = []
        self._is_over = False
        self._turn = 0

    @property
    def turn(self) -> int | None:
        """A number that grows with every change that is told; None while nobody listens."""
        return self._turn if self._listeners else None

    async def watch(self) -> None:
        """Ask again and again, while anybody listens; runs until it is cancelled."""
        while True:
            if self._listeners:
                await self._look()
            await asyncio.sleep(max(ASK_SECONDS, SECONDS_EACH * len(self._listeners)))

    async def _look(self) -> None:
        try:
            found = await self._ask()
        except Exception as error:  # the pages stay as they are, and the next second may be better
            LOG.error("live pages cannot be told of changes: %s", type(error).__name__)
            return
        if found != self._known:
            self._known, self._turn = found, self._turn + 1
            for listener in self._listeners:
                listener.wake()

    @contextmanager
    def listening(self, session: str, account_id: int) -> Iterator[Listener]:
        """A new listener; the oldest of its session, or of its account, is ended if there are many.

        Raises web.HTTPServiceUnavailable if the whole process has too many, or ends.
        """
        if self._is_over or len(self._listeners) >= MOST_STREAMS:
            raise web.HTTPServiceUnavailable(text=text("fault.many_pages"))
        for mine, most in (
            ([each for each in self._listeners if each.session == session], MOST_OF_SESSION),
            ([each for each in self._listeners if each.account_id == account_id], MOST_OF_ACCOUNT),
        ):
            if len(mine) >= most:
                mine[0].end("crowded")
        listener = Listener(session, account_id)
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)

    def close(self) -> None:
        """End every stream now, and open no more."""
        self._is_over = True
        for listener in self._listeners:
            listener.end()


async def stream(request: web.Request) -> web.StreamResponse:
    """`GET /live`: events until the browser, the session or the viewer ends."""
    session = request[SESSION]
    with request.app[LIVE].listening(session.key, session.account_id) as listener:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        with contextlib.suppress(ConnectionError, TimeoutError):  # the browser is gone
            await response.prepare(request)
            await response.write(f"retry: {RETRY_MS}\n\n".encode())
            looked_at = time.monotonic()
            async for name in listener.messages():
                if time.monotonic() - looked_at >= ALIVE_SECONDS:
                    looked_at = time.monotonic()
                    if not await is_open(request):
                        break
                async with asyncio.timeout(WRITE_SECONDS):
                    await response.write(f"event: {name}\ndata:\n\n".encode())
        return response


async def live_pages(app: web.Application) -> AsyncIterator[None]:
    """Cleanup context: the task that asks. It needs the databases, so it begins after them."""

    async def ask() -> Hashable:
        return await change_marks(app[JOINED]), await is_daemon_alive(app)

    app[LIVE] = Live(ask)
    async with in_background(app[LIVE].watch()):
        yield


@asynccontextmanager
async def in_background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Work beside everything else, ended with the `async with`."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def end_streams(app: web.Application) -> None:
    """Signal handler of the shutdown: without it the server would wait for the streams."""
    app[LIVE].close()


LIVE = web.AppKey("live", Live)
