"""Timing things against each other: interleaved, so that a busy moment hits all of them alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 3  # rounds, however long they take


@dataclass(frozen=True)
class Row:
    """Something to be timed. times: how often it would run in a whole scan, for what is timed
    on a part of one."""

    name: str
    run: Callable[[], object]
    times: float = 1.0


@dataclass(frozen=True)
class Timing:
    """Seconds: the median over rounds, and the spread between the quartiles."""

    name: str
    median: float
    low: float
    high: float
    rounds: int


def interleaved(
    rows: Sequence[Row], rounds: int, most_seconds: float, advance: Callable[[], object]
) -> list[Timing]:
    """Each row once to warm up, then once a round, in turn; `advance` is told of each run.

    No round begins after `most_seconds`, once there are FEWEST.
    """
    began = time.perf_counter()
    seconds: list[list[float]] = [[] for _ in rows]
    for number in range(rounds + 1):
        if number > FEWEST and time.perf_counter() - began > most_seconds:
            break
        for row, kept in zip(rows, seconds, strict=True):
            start = time.perf_counter()
            row.run()
            if number:
                kept.append(row.times * (time.perf_counter() - start))
            advance()
    return [_timing(row.name, kept) for row, kept in zip(rows, seconds, strict=True)]


def _timing(name: str, seconds: list[float]) -> Timing:
    low, middle, high = np.percentile(seconds, [25, 50, 75])
    return Timing(name, float(middle), float(low), float(high), len(seconds))
