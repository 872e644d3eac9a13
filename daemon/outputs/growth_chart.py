"""The growth curve: a patient's volumes over real dates, with their ranges as bars.

Black on white with open and filled marks, so that it reads the same in print.
"""

import math
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from daemon.outputs.catalogue import text
from daemon.outputs.overlay import FONT
from daemon.report_parts import HistoryEntry

SIZE = (900, 520)
LEFT, TOP, RIGHT, BOTTOM = 86, 56, 870, 430  # the frame of the axes, in pixels
INK, GRID, PAPER = (0, 0, 0), (200, 200, 200), (255, 255, 255)
MARK = 6  # pixels: radius of a point
LABEL_WIDTH = 96  # pixels between two dates that are written
DAY_SECONDS = 86400.0
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def save_growth(history: Sequence[HistoryEntry], path: Path) -> None:
    """Draw `history` of a report: acquired_at (ISO 8601), volume_ml, volume_ml_range or None.

    The last entry is the scan itself: its mark is filled.
    """
    picture = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(picture)
    days = [_days(entry.acquired_at) for entry in history]
    step = nice_step(max(_highest(entry) for entry in history))
    top = step * max(1, math.ceil(max(_highest(entry) for entry in history) / step))
    places = [
        (_across(day, days[0], days[-1]), _up(entry.volume_ml, top))
        for day, entry in zip(days, history, strict=True)
    ]
    _draw_grid(draw, step, top)
    draw.line(places, INK, 2)
    for place, entry in zip(places, history, strict=True):
        _draw_range(draw, place[0], entry.volume_ml_range, top)
        is_last = entry is history[-1]
        box = (place[0] - MARK, place[1] - MARK, place[0] + MARK, place[1] + MARK)
        draw.ellipse(box, INK if is_last else PAPER, INK, 2)
    _draw_dates(draw, [place[0] for place in places], history)
    _write(draw, (LEFT, 16), text("drawn.growth"), 18, "la")
    _write(draw, (LEFT, SIZE[1] - 30), text("report.research_use"), 14, "la")
    picture.save(path, compress_level=9)


def nice_step(highest: float) -> float:
    """A round distance of the lines: at most six up to `highest` (ml)."""
    rough = max(highest, 0.1) / 5
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return next(step * magnitude for step in STEPS if step * magnitude >= rough * 0.999)


def _highest(entry: HistoryEntry) -> float:
    limits = entry.volume_ml_range
    return float(max(entry.volume_ml, limits[1] if limits else 0.0))


def _days(at: str) -> float:
    moment = datetime.fromisoformat(at)
    seconds = (moment - datetime.combine(moment, datetime.min.time())).total_seconds()
    return date.toordinal(moment) + seconds / DAY_SECONDS


def _across(day: float, first: float, last: float) -> float:
    """Pixels from the left; a margin keeps marks off the frame."""
    share = (day - first) / (last - first) if last > first else 0.5
    return LEFT + 40 + share * (RIGHT - LEFT - 80)


def _up(volume: float, top: float) -> float:
    return BOTTOM - volume / top * (BOTTOM - TOP)


def _draw_grid(draw: ImageDraw.ImageDraw, step: float, top: float) -> None:
    for number in range(round(top / step) + 1):
        height = _up(number * step, top)
        draw.line([(LEFT, height), (RIGHT, height)], GRID)
        _write(draw, (LEFT - 10, height), f"{number * step:g}", 14, "rm")
    draw.line([(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], INK, 2)
    _write(draw, (LEFT - 10, TOP - 24), text("drawn.ml"), 14, "rm")


def _draw_range(
    draw: ImageDraw.ImageDraw, x: float, limits: Sequence[float] | None, top: float
) -> None:
    if not limits:
        return
    low, high = _up(limits[0], top), _up(limits[1], top)
    draw.line([(x, low), (x, high)], INK, 2)
    for end in (low, high):
        draw.line([(x - 7, end), (x + 7, end)], INK, 2)


def _draw_dates(
    draw: ImageDraw.ImageDraw, across: Sequence[float], history: Sequence[HistoryEntry]
) -> None:
    """A tick for each scan; a date where there is room, that of the last scan always."""
    last, free_to = across[-1], -math.inf
    for x, entry in zip(across, history, strict=True):
        draw.line([(x, BOTTOM), (x, BOTTOM + 6)], INK, 2)
        is_last = entry is history[-1]
        if is_last or (x - free_to >= LABEL_WIDTH and last - x >= LABEL_WIDTH):
            _write(draw, (x, BOTTOM + 12), entry.acquired_at[:10], 14, "ma")
            free_to = x


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, anchor: str
) -> None:
    draw.text(place, text, INK, font=ImageFont.truetype(FONT, size), anchor=anchor)
