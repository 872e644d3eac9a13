"""Asks a server over so many connections at once, each as soon as it has its answer.

The asking is bare: whatever it costs is taken from the cores that the server needs as well.
"""

import asyncio
import time
from dataclasses import dataclass
from itertools import count
from statistics import quantiles
from urllib.parse import urlsplit

CONNECTIONS = 16


@dataclass(frozen=True)
class Timing:
    """p50_ms, p95_ms: from asking to the last byte; kb: of one answer, in 1000 bytes."""

    p50_ms: float
    p95_ms: float
    per_second: float
    kb: float


async def timed(addresses: list[str], headers: dict[str, str], seconds: float) -> Timing:
    """Ask for the addresses in turn, for so long; before that once each, so that no disk is timed.

    Raises AssertionError unless each is answered with 200.
    """
    await _asked(addresses, headers, 0.0)
    began = time.monotonic()
    took, size = await _asked(addresses, headers, seconds)
    rate = len(took) / (time.monotonic() - began)
    parts = [1000 * each for each in quantiles(took, n=20)]
    return Timing(round(parts[9], 1), round(parts[18], 1), round(rate, 1), round(size / 1000, 1))


async def _asked(
    addresses: list[str], headers: dict[str, str], seconds: float
) -> tuple[list[float], int]:
    """Seconds of each answer, and the bytes of the last; each address is asked at least once."""
    took: list[float] = []
    turn, end, sizes = count(), time.monotonic() + seconds, list[int]()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    async def ask() -> None:
        place = urlsplit(addresses[0])
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        while (number := next(turn)) < len(addresses) or time.monotonic() < end:
            path = addresses[number % len(addresses)].removeprefix(f"http://{place.netloc}")
            began = time.monotonic()
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\n{lines}\r\n".encode())
            sizes.append(await _read_answer(reader, path))
            took.append(time.monotonic() - began)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
    return took, sizes[-1]


async def _read_answer(reader: asyncio.StreamReader, path: str) -> int:
    """The bytes of the body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    assert head.startswith("http/1.1 200 "), (path, head.partition("\r\n")[0])
    size = int(head.partition("content-length:")[2].partition("\r\n")[0])
    await reader.readexactly(size)
    return size
