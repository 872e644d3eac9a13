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

Place = tuple[float, float]


def draw_outline(
    picture: Image.Image, inside: NDArray[np.bool_], width: int, colour: tuple[int, int, int]
) -> None:
    """A line of `width` pixels around `inside` (rows, columns), with its rims."""
    if not inside.any():
        return
    pixels = np.asarray(picture).copy()
    from scipy import ndimage  # the viewer imports this file, and never draws

    grown = ndimage.binary_dilation(inside, iterations=width)
    pixels[ndimage.binary_dilation(grown) & ~grown] = RIM
    if width > 1:
        pixels[inside & ~ndimage.binary_erosion(inside)] = RIM
    pixels[grown & ~inside] = colour
    picture.paste(Image.fromarray(pixels))


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
    font = _font(size)
    ImageDraw.Draw(picture).text(
        place, text, TEXT, font=font, stroke_width=2, stroke_fill=(0, 0, 0)
    )


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # unpacked anew each time
