"""Asks a server over so many connections at once, each as soon as it has its answer."""

import asyncio
import time
from dataclasses import dataclass
from itertools import count
from statistics import quantiles

from aiohttp import ClientSession

CONNECTIONS = 16


@dataclass(frozen=True)
class Timing:
    """p50_ms, p95_ms: from asking to the last byte; kb: of one answer, in 1000 bytes."""

    p50_ms: float
    p95_ms: float
    per_second: float
    kb: float


async def timed(
    session: ClientSession, addresses: list[str], headers: dict[str, str], seconds: float
) -> Timing:
    """Ask for the addresses in turn. Raises AssertionError unless each is answered with 200."""
    took: list[float] = []
    turn, end, size = count(), time.monotonic() + seconds, 0

    async def ask() -> None:
        nonlocal size
        while time.monotonic() < end:
            address = addresses[next(turn) % len(addresses)]
            began = time.monotonic()
            async with session.get(address, headers=headers) as answer:
                body = await answer.read()
                assert answer.status == 200, (address, answer.status)
            took.append(time.monotonic() - began)
            size = len(body)

    began = time.monotonic()
    await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
    parts = [1000 * each for each in quantiles(took, n=20)]
    rate = len(took) / (time.monotonic() - began)
    return Timing(round(parts[9], 1), round(parts[18], 1), round(rate, 1), round(size / 1000, 1))
