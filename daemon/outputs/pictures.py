"""The pictures of a scan: the slice with the largest area, and a montage of the marked slices.

The outline is bright with a dark rim, so that it can be told in black-and-white print and by
colour-blind readers.
"""

import math
import textwrap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from daemon.outputs.display import Display
from daemon.outputs.sentences import RESEARCH_USE

OUTLINE = (255, 210, 0)
RIM = (0, 0, 0)
TEXT = (255, 255, 255)
OVERLAY_SIDE = 640
TILE_SIDE = 160
COLUMNS = 6
CAPTION = 26  # pixels a line
CHARACTER = 7.5  # pixels that a letter of a caption is wide, at most
PLAIN_TILES = 12  # slices of a montage without any marked slice


def save_overlay(shown: Display, path: Path) -> None:
    """The slice with the largest marked area, or the middle one, with its outline and letters."""
    index = _best_slice(shown)
    picture = _slice(shown, index, shown.size(OVERLAY_SIDE))
    count = len(shown.grey)
    where = f"Slice {index + 1} of {count}." if count > 1 else ""
    captioned(picture, shown.letters, where).save(path, compress_level=3)


def capture_pictures(shown: Display, words: str) -> list[Image.Image]:
    """Every marked slice like an overlay, with `words` below; without any, the middle one."""
    marked = [int(index) for index in np.flatnonzero(shown.areas)] or [_best_slice(shown)]
    size, count = shown.size(OVERLAY_SIDE), len(shown.grey)
    return [
        captioned(
            _slice(shown, index, size), shown.letters, f"{words} Slice {index + 1} of {count}."
        )
        for index in marked
    ]


def captioned(picture: Image.Image, letters: tuple[str, str] | None, words: str) -> Image.Image:
    """A picture with its letters, and below it what it is and that it is for research only."""
    if letters:
        _letters(picture, letters, 26)
    lines = textwrap.wrap(f"{words} {RESEARCH_USE}", int(picture.width / CHARACTER))
    framed = Image.new("RGB", (picture.width, picture.height + CAPTION * len(lines)))
    framed.paste(picture)
    for number, line in enumerate(lines):
        _write(framed, (8, picture.height + 5 + number * CAPTION), line, 14)
    return framed


def save_montage(shown: Display, path: Path) -> None:
    """All marked slices with one neighbour on either side; without any, evenly spread slices."""
    indices = montage_slices(shown)
    size = shown.size(TILE_SIDE)
    columns = min(COLUMNS, len(indices))
    rows = math.ceil(len(indices) / columns)
    sheet = Image.new("RGB", (columns * size[0], rows * size[1] + CAPTION))
    for number, index in enumerate(indices):
        tile = _slice(shown, index, size)
        _write(tile, (4, 2), str(index + 1), 12)
        if shown.letters:
            _letters(tile, shown.letters, 12)
        sheet.paste(tile, (number % columns * size[0], number // columns * size[1]))
    _write(sheet, (8, sheet.height - CAPTION + 5), RESEARCH_USE, 12)
    sheet.save(path, compress_level=3)


def montage_slices(shown: Display) -> list[int]:
    """Indices of the slices in a montage, in display order."""
    marked = shown.areas > 0
    if not marked.any():
        count = len(marked)
        spread = np.linspace(0, count - 1, min(PLAIN_TILES, count)).round()
        return [int(index) for index in np.unique(spread)]
    near = ndimage.binary_dilation(marked, iterations=1)
    return [int(index) for index in np.flatnonzero(near)]


def _best_slice(shown: Display) -> int:
    areas = shown.areas
    return int(areas.argmax()) if areas.any() else len(areas) // 2


def _slice(shown: Display, index: int, size: tuple[int, int]) -> Image.Image:
    picture = np.asarray(shown.picture(index, size).convert("RGB")).copy()
    inside = shown.outline(index, size)
    if inside.any():
        _draw_outline(picture, inside)
    return Image.fromarray(picture)


def _draw_outline(picture: NDArray[np.uint8], inside: NDArray[np.bool_]) -> None:
    """A bright line on the border of `inside`, with a dark rim on its outer side."""
    width = 2 if max(inside.shape) > 2 * TILE_SIDE else 1
    grown = ndimage.binary_dilation(inside, iterations=width)
    rim = ndimage.binary_dilation(grown, iterations=1) & ~grown
    picture[rim] = RIM
    picture[grown & ~inside] = OUTLINE


def _letters(picture: Image.Image, letters: tuple[str, str], size: int) -> None:
    """Which side of the patient the left and the right edge of a picture are."""
    middle = (picture.height - size) / 2
    _write(picture, (size / 3, middle), letters[0], size)
    _write(picture, (picture.width - size, middle), letters[1], size)


def _write(picture: Image.Image, place: tuple[float, float], text: str, size: int) -> None:
    font = ImageFont.load_default(size)
    ImageDraw.Draw(picture).text(
        place, text, TEXT, font=font, stroke_width=2, stroke_fill=(0, 0, 0)
    )
