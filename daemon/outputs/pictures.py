"""The pictures of a scan: the slice with the largest area, and a montage of the marked slices."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from daemon.outputs.display import Display
from daemon.outputs.marks import (
    CAPTION,
    OUTLINE,
    captioned,
    draw_letters,
    draw_outline,
    draw_scale_bar,
    write,
)
from daemon.outputs.png import save_png
from daemon.outputs.sentences import RESEARCH_USE

OVERLAY_SIDE = 640
TILE_SIDE = 160
COLUMNS = 6
PLAIN_TILES = 12  # slices of a montage without any marked slice


def save_overlay(shown: Display, path: Path) -> None:
    """The slice with the largest marked area, or the middle one, with its outline and letters."""
    index = _best_slice(shown)
    count = len(shown.grey)
    where = f"Slice {index + 1} of {count}." if count > 1 else ""
    save_png(captioned(whole_slice(shown, index), where), path)


def capture_pictures(shown: Display, words: str) -> list[Image.Image]:
    """Every marked slice like an overlay, with `words` below; without any, the middle one."""
    marked = [int(index) for index in np.flatnonzero(shown.areas)] or [_best_slice(shown)]
    count = len(shown.grey)
    return [
        captioned(whole_slice(shown, index), f"{words} Slice {index + 1} of {count}.")
        for index in marked
    ]


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
    write(sheet, (8, sheet.height - CAPTION + 5), RESEARCH_USE, 12)
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
