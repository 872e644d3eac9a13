"""The pictures of a scan, overlay and montage, what is drawn upon them, and PNG itself.

Each mark is bright with a dark rim on both sides, so that it can be told on bright and on dark
tissue, in black-and-white print and by colour-blind readers.
"""

import math
import struct
import textwrap
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from daemon.outputs.catalogue import text
from daemon.outputs.slice_rendering import Display, Letters

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LEVEL = 2  # of ISA-L
RGB, DEPTH = 2, 8
UP = 2  # the filter of all rows: each value less the one above it


def save_png(picture: Image.Image, path: Path) -> None:
    """Write an RGB picture, without loss, after the standard (PNG, W3C, third edition)."""
    pixels = np.asarray(picture)
    rows = pixels.reshape(picture.height, -1)
    filtered = np.full((picture.height, 1 + rows.shape[1]), UP, np.uint8)
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">2I5B", picture.width, picture.height, DEPTH, RGB, 0, 0, 0)
    packed = isal_zlib.compress(filtered, LEVEL)
    chunks = _chunk(b"IHDR", header), _chunk(b"IDAT", packed), _chunk(b"IEND", b"")
    path.write_bytes(SIGNATURE + b"".join(chunks))


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = isal_zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


OUTLINE = (255, 210, 0)
OTHER = (255, 255, 255)  # outline of what the picture is not about
RIM = (0, 0, 0)
TEXT = (255, 255, 255)
CAPTION = 26  # pixels a line
CHARACTER = 8.0  # pixels that a letter of a caption is wide, at most
FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"  # has the letters of most languages
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
    write(picture, (left, y - 27), text("drawn.mm", mm=fitting[0]), 14)


def captioned(picture: Image.Image, words: str) -> Image.Image:
    """A picture, and below it what it is and that it is for research only."""
    lines = textwrap.wrap(f"{words} {text('report.research_use')}", int(picture.width / CHARACTER))
    framed = Image.new("RGB", (picture.width, picture.height + CAPTION * len(lines)))
    framed.paste(picture)
    for number, line in enumerate(lines):
        write(framed, (8, picture.height + 5 + number * CAPTION), line, 14)
    return framed


def write(picture: Image.Image, place: Place, words: str, size: int) -> None:
    """Words whose upper left corner is `place`."""
    shift = place[0] % 1, place[1] % 1
    rim, fill = _stamp(words, size, shift)
    at = math.floor(place[0]) - AROUND, math.floor(place[1]) - AROUND
    picture.paste(RIM, at, rim)
    picture.paste(TEXT, at, fill)


@lru_cache(maxsize=256)
def _stamp(words: str, size: int, shift: Place) -> tuple[Image.Image, Image.Image]:
    """How much of a picture's pixels a text's rim covers, and its letters: 0 to 255, with AROUND
    pixels to each side. The same few letters are written on each slice."""
    font = _font(size)
    width, height = font.getbbox(words)[2:]
    shape = math.ceil(width) + 2 * AROUND + 1, math.ceil(height) + 2 * AROUND + 1
    stamps = []
    for stroke in (STROKE, 0):
        stamp = Image.new("L", shape)
        at = AROUND + shift[0], AROUND + shift[1]
        ImageDraw.Draw(stamp).text(at, words, 255, font=font, stroke_width=stroke)
        stamps.append(stamp)
    return stamps[0], stamps[1]


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, size)  # read anew each time


OVERLAY_SIDE = 640
TILE_SIDE = 160
COLUMNS = 6
PLAIN_TILES = 12  # slices of a montage without any marked slice


def save_overlay(shown: Display, path: Path) -> None:
    """The slice with the largest marked area, or the middle one, with its outline and letters."""
    index = _best_slice(shown)
    count = len(shown.grey)
    where = text("drawn.slice", slice=index + 1, count=count) if count > 1 else ""
    save_png(captioned(whole_slice(shown, index), where), path)


def save_difference(before: Display, after: Display, words: str, path: Path) -> None:
    """The slice in which two masks of one scan differ most: `before` in white, `after` in yellow.

    before, after: the same scan, each with one of the masks.
    """
    apart = np.array([np.count_nonzero(one ^ two) for one, two in _masks(before, after)])
    index = int(apart.argmax()) if apart.any() else _best_slice(before)
    size = before.size(OVERLAY_SIDE)
    picture = before.picture(index, size).convert("RGB")
    draw_outline(picture, before.outline(index, size), 2, OTHER)
    draw_outline(picture, after.outline(index, size), 2, OUTLINE)
    finish(picture, before)
    where = text("drawn.slice", slice=index + 1, count=len(before.grey))
    save_png(captioned(picture, f"{words} {where}"), path)


def _masks(one: Display, other: Display) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    return zip(one.mask, other.mask, strict=True)


def capture_pictures(shown: Display, words: str) -> list[Image.Image]:
    """Every marked slice like an overlay, with `words` below; without any, the middle one."""
    count = len(shown.grey)
    return [
        captioned(
            whole_slice(shown, index),
            f"{words} {text('drawn.slice', slice=index + 1, count=count)}",
        )
        for index in captured_slices(shown)
    ]


def captured_slices(shown: Display) -> list[int]:
    """The slices that `capture_pictures` shows, in display order."""
    return [int(index) for index in np.flatnonzero(shown.areas)] or [_best_slice(shown)]


def whole_slice(shown: Display, index: int, outlined: bool = True) -> Image.Image:
    """One slice in the size of an overlay, with outline, letters and scale bar."""
    size = shown.size(OVERLAY_SIDE)
    picture = shown.picture(index, size).convert("RGB")
    if outlined:
        draw_outline(picture, shown.outline(index, size), 2, OUTLINE)
    finish(picture, shown)
    return picture


def finish(picture: Image.Image, shown: Display) -> None:
    """Letters and scale bar of a slice that fills the picture."""
    draw_letters(picture, shown.letters, 26)
    columns = shown.grey.shape[2]
    mm = shown.column_mm
    draw_scale_bar(picture, None if mm is None else picture.width / (columns * mm))


def save_montage(shown: Display, path: Path) -> None:
    """All marked slices with one neighbour on either side; without any, evenly spread slices."""
    indices = montage_slices(shown)
    size = shown.size(TILE_SIDE)
    columns = min(COLUMNS, len(indices))
    rows = math.ceil(len(indices) / columns)
    sheet = Image.new("RGB", (columns * size[0], rows * size[1] + CAPTION))
    for number, index in enumerate(indices):
        tile = shown.picture(index, size).convert("RGB")
        draw_outline(tile, shown.outline(index, size), 1, OUTLINE)
        write(tile, (4, 2), str(index + 1), 12)
        draw_letters(tile, shown.letters, 12)
        sheet.paste(tile, (number % columns * size[0], number // columns * size[1]))
    write(sheet, (8, sheet.height - CAPTION + 5), text("report.research_use"), 12)
    save_png(sheet, path)


def montage_slices(shown: Display) -> list[int]:
    """Indices of the slices in a montage, in display order."""
    marked = shown.areas > 0
    if not marked.any():
        count = len(marked)
        spread = np.linspace(0, count - 1, min(PLAIN_TILES, count)).round()
        return [int(index) for index in np.unique(spread)]
    from scipy import ndimage  # the viewer imports this file, and never draws

    near = ndimage.binary_dilation(marked, iterations=1)
    return [int(index) for index in np.flatnonzero(near)]


def _best_slice(shown: Display) -> int:
    areas = shown.areas
    return int(areas.argmax()) if areas.any() else len(areas) // 2
