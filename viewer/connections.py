"""Connections: how many there may be, how long a request may take to begin, and what no HTTP gets.

aiohttp waits for ever for the end of a request's head, and answers what it cannot parse without a
word to the application. Here a connection on which no whole head comes in time is closed, one
address has only so many, and no more are taken than there are file descriptors for. Under TLS that
holds from the first byte of the handshake on, of which aiohttp is told at its end only.
"""

import asyncio
import logging
import resource
import ssl
import time
from collections import Counter
from collections.abc import Callable, Container
from typing import Any, cast

from aiohttp import web
from aiohttp.web_request import BaseRequest

from viewer.middleware import HEADERS

log = logging.getLogger(__name__)

HEAD_SECONDS = 15.0  # for the head of a request, from its connection or from its first byte on
HANDSHAKE_SECONDS = 10.0  # of TLS
IDLE_SECONDS = 75.0  # between two requests of one connection
LINGER_SECONDS = 10.0  # reading what was refused
MOST_OF_ADDRESS = 200  # connections; browsers open six each, and a ward may share one address
KEPT_FREE = 64  # descriptors for databases, files and workers
SAID_AGAIN_SECONDS = 60.0


class Door:
    """Who is connected. trusted: proxies, behind which everybody has one address."""

    def __init__(self, most: int, trusted: Container[str] = ()) -> None:
        self._most, self._trusted = most, trusted
        self._by_address: Counter[str] = Counter()
        self._said_at = -SAID_AGAIN_SECONDS

    def come(self, address: str) -> bool:
        """Count a connection, if there may be another one."""
        mine, most = self._by_address[address], min(MOST_OF_ADDRESS, self._most * 3 // 4)
        if self._by_address.total() >= self._most:
            self._say("connections_full")
            return False
        if mine >= most and address not in self._trusted:
            self._say("connections_of_one_address_full")
            return False
        self._by_address[address] += 1
        return True

    def go(self, address: str) -> None:
        """One that was counted has ended."""
        self._by_address[address] -= 1
        self._by_address += Counter()  # without those at 0

    def _say(self, event: str) -> None:
        """In the log, but not for each of many; an address is that of a person's machine."""
        if time.monotonic() - self._said_at >= SAID_AGAIN_SECONDS:
            self._said_at = time.monotonic()
            log.warning(event, extra={"connections": self._by_address.total()})


class Connection(web.RequestHandler):
    """One connection, with a clock for the head of each request."""

    __slots__ = ("_address", "_clock", "_door")

    def __init__(self, door: Door, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._door, self._address = door, ""
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it or close it at once."""
        address = str((transport.get_extra_info("peername") or [""])[0])
        if not self._door.come(address):
            cast(asyncio.Transport, transport).abort()
            return
        self._address = address or " "
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """It has ended."""
        if not self._address:
            return  # it was never taken
        self._door.go(self._address.strip())
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Watch that the head of a request comes whole in time, however slowly it drips."""
        if not self._address:
            return
        before = self._request_count
        super().data_received(data)
        if self._request_count > before:
            self._stop_clock()
        elif self._is_idle() and self._clock is None:
            self._wait_for_head()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP is answered as well with the headers of every page."""
        response = super().handle_error(request, status, exc, message)
        response.headers.update(HEADERS)
        return response

    def _is_idle(self) -> bool:
        """Whether no request is being answered or waits to be, so that a head must be coming."""
        return self._current_request is None and not self._messages

    def _wait_for_head(self) -> None:
        self._clock = self._loop.call_later(HEAD_SECONDS, self._too_late)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _too_late(self) -> None:
        self._clock = None
        if self._is_idle():
            self.force_close()


class Handshake(asyncio.Protocol):
    """Somebody who connects under TLS: counted like a connection until there is one."""

    def __init__(self, door: Door, tls: ssl.SSLContext, make: Callable[[], Connection]) -> None:
        self._door, self._tls, self._make = door, tls, make
        self._task: asyncio.Task[None] | None = None
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, if there may be another connection."""
        plain = cast(asyncio.Transport, transport)
        address = str((plain.get_extra_info("peername") or [""])[0])
        if not self._door.come(address):
            plain.abort()
            return
        plain.pause_reading()  # until it is TLS that reads
        self._task = asyncio.create_task(self._shake_hands(plain, address))

    def data_received(self, data: bytes) -> None:
        """The first of what was sent may come at once, before anybody knows of the handshake."""
        self._early += data

    async def _shake_hands(self, plain: asyncio.Transport, address: str) -> None:
        try:
            secured = await asyncio.get_running_loop().start_tls(
                plain,
                self,
                self._tls,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
        except OSError:  # what no TLS is, or comes too late, gets no answer
            plain.abort()
            return
        finally:
            self._door.go(address)
        if secured is None or secured.is_closing():
            return
        connection = self._make()
        secured.set_protocol(connection)
        connection.connection_made(secured)
        connection.data_received(self._early)


class _Server(web.Server):
    """Makes a Connection of everybody who connects."""

    def __init__(
        self, door: Door, made: web.Server, tls: ssl.SSLContext | None, **settings: Any
    ) -> None:
        handler, factory = made.request_handler, made.request_factory
        super().__init__(handler, request_factory=factory, **settings)
        self._door, self._tls, self._settings = door, tls, settings

    def __call__(self) -> asyncio.Protocol:  # type: ignore[override]
        return self._connection() if self._tls is None else self._handshake(self._tls)

    def _connection(self) -> Connection:
        return Connection(self._door, self, loop=self._loop, **self._settings)

    def _handshake(self, tls: ssl.SSLContext) -> Handshake:
        return Handshake(self._door, tls, self._connection)


class Runner(web.AppRunner):
    """Runs the application behind a door. trusted: addresses of proxies. tls: speak TLS alone.

    linger_seconds: for so long what was refused is read on, so that its sender hears the answer.
    """

    def __init__(
        self,
        app: web.Application,
        trusted: Container[str] = (),
        linger_seconds: float = LINGER_SECONDS,
        tls: ssl.SSLContext | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(app, access_log=None, **settings)
        self._door, self._linger_seconds = Door(most_connections(), trusted), linger_seconds
        self._tls = tls

    async def _make_server(self) -> web.Server:
        # No access log: addresses hold a link's token, and who looked at what is the audit's
        # matter. Packed bodies are refused by their head, so nothing is unpacked.
        made = await super()._make_server()
        return _Server(
            self._door,
            made,
            self._tls,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=self._linger_seconds,
        )


def most_connections() -> int:
    """How many this process has descriptors for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - KEPT_FREE, soft // 2) if soft != resource.RLIM_INFINITY else 10**6
