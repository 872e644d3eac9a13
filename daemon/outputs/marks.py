"""What is drawn upon a picture: outlines, lines, letters, a scale bar, words.

Each mark is bright with a dark rim on both sides, so that it can be told on bright and on dark
tissue, in black-and-white print and by colour-blind readers.
"""

import math
import textwrap
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from daemon.outputs.display import Letters
from daemon.outputs.sentences import RESEARCH_USE

OUTLINE = (255, 210, 0)
OTHER = (255, 255, 255)  # outline of what the picture is not about
RIM = (0, 0, 0)
TEXT = (255, 255, 255)
CAPTION = 26  # pixels a line
CHARACTER = 7.5  # pixels that a letter of a caption is wide, at most
BARS = (100, 50, 20, 10, 5)  # mm of a scale bar, the longest that fits a third of the picture
DASH = 9.0  # pixels
STROKE, AROUND = 2, 4  # pixels: of the rim of letters, and of what is kept free for it

Place = tuple[float, float]


def draw_outline(
    picture: Image.Image, inside: NDArray[np.bool_], width: int, colour: tuple[int, int, int]
) -> None:
    """A line of `width` pixels around `inside` (rows, columns), with its rims."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return
    top, left = (max(0, int(marked[0]) - width - 1) for marked in (rows, columns))
    end = slice(top, int(rows[-1]) + width + 2), slice(left, int(columns[-1]) + width + 2)
    area = inside[end]  # what is drawn lies here: the rest is let be
    pixels = np.array(picture.crop((left, top, left + area.shape[1], top + area.shape[0])))
    grown = area
    for _ in range(width):
        grown = _wider(grown)
    pixels[_wider(grown) & ~grown] = RIM
    if width > 1:
        pixels[area & _wider(~area, at_edge=True)] = RIM
    pixels[grown & ~area] = colour
    picture.paste(Image.fromarray(pixels), (left, top))


def _wider(area: NDArray[np.bool_], at_edge: bool = False) -> NDArray[np.bool_]:
    """The area and its neighbours above, below, left and right; at_edge: what lies beyond it is."""
    framed = np.pad(area, 1, constant_values=at_edge)
    middle, low, high = slice(1, -1), slice(None, -2), slice(2, None)
    wider: NDArray[np.bool_] = area | framed[low, middle] | framed[high, middle]
    wider |= framed[middle, low]
    wider |= framed[middle, high]
    return wider


def draw_line(picture: Image.Image, start: Place, end: Place, dashed: bool = False) -> None:
    """A straight line with bars across its ends; dashed to tell it from another."""
    draw = ImageDraw.Draw(picture)
    along = np.subtract(end, start) / (math.dist(start, end) or 1.0)
    across = 6 * np.array([-along[1], along[0]])
    ticks = [(tuple(np.subtract(at, across)), tuple(np.add(at, across))) for at in (start, end)]
    for one, other in [(start, end), *ticks]:
        draw.line([one, other], RIM, 5)
    pieces = _dashes(start, end) if dashed else [(start, end)]
    for one, other in [*pieces, *ticks]:
        draw.line([one, other], TEXT, 2)


def _dashes(start: Place, end: Place) -> list[tuple[Place, Place]]:
    count = max(1, round(math.dist(start, end) / DASH)) | 1  # odd: it begins and ends drawn
    xs, ys = np.linspace(start[0], end[0], count + 1), np.linspace(start[1], end[1], count + 1)
    points = [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]
    return list(zip(points[::2], points[1::2], strict=True))


def draw_letters(picture: Image.Image, letters: Letters | None, size: int) -> None:
    """Which side of the patient the left, right, upper and lower edge are, where that is known."""
    if letters is None:
        return
    across, down = (picture.width - size * 0.7) / 2, (picture.height - size) / 2
    write(picture, (size / 3, down), letters[0], size)
    write(picture, (picture.width - size, down), letters[1], size)
    write(picture, (across, size / 5), letters[2], size)
    write(picture, (across, picture.height - 1.3 * size), letters[3], size)


def draw_scale_bar(picture: Image.Image, pixels_a_mm: float | None) -> None:
    """A bar of a round length in the lower right corner, where lengths are known."""
    if pixels_a_mm is None:
        return
    fitting = [mm for mm in BARS if mm * pixels_a_mm <= picture.width / 3]
    if not fitting:
        return
    right, y = picture.width - 12.0, picture.height - 12.0
    left = right - fitting[0] * pixels_a_mm
    draw_line(picture, (left, y), (right, y))
    write(picture, (left, y - 27), f"{fitting[0]} mm", 14)


def captioned(picture: Image.Image, words: str) -> Image.Image:
    """A picture, and below it what it is and that it is for research only."""
    lines = textwrap.wrap(f"{words} {RESEARCH_USE}", int(picture.width / CHARACTER))
    framed = Image.new("RGB", (picture.width, picture.height + CAPTION * len(lines)))
    framed.paste(picture)
    for number, line in enumerate(lines):
        write(framed, (8, picture.height + 5 + number * CAPTION), line, 14)
    return framed


def write(picture: Image.Image, place: Place, text: str, size: int) -> None:
    """Words whose upper left corner is `place`."""
    shift = place[0] % 1, place[1] % 1
    rim, fill = _stamp(text, size, shift)
    at = math.floor(place[0]) - AROUND, math.floor(place[1]) - AROUND
    picture.paste(RIM, at, rim)
    picture.paste(TEXT, at, fill)


@lru_cache(maxsize=256)
def _stamp(text: str, size: int, shift: Place) -> tuple[Image.Image, Image.Image]:
    """How much of a picture's pixels a text's rim covers, and its letters: 0 to 255, with AROUND
    pixels to each side. The same few letters are written on each slice."""
    font = _font(size)
    width, height = font.getbbox(text)[2:]
    shape = math.ceil(width) + 2 * AROUND + 1, math.ceil(height) + 2 * AROUND + 1
    stamps = []
    for stroke in (STROKE, 0):
        stamp = Image.new("L", shape)
        at = AROUND + shift[0], AROUND + shift[1]
        ImageDraw.Draw(stamp).text(at, text, 255, font=font, stroke_width=stroke)
        stamps.append(stamp)
    return stamps[0], stamps[1]


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # unpacked anew each time
