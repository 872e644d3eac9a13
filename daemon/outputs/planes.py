"""The scan from three sides through the largest lesion, each in the patient's own proportions."""

from pathlib import Path

from PIL import Image, ImageDraw

from daemon.outputs.display import AXIAL, CORONAL, SAGITTAL, Display, display
from daemon.outputs.marks import (
    OUTLINE,
    TEXT,
    captioned,
    draw_letters,
    draw_outline,
    draw_scale_bar,
)
from daemon.outputs.png import save_png
from model.volume import MaskArray, Volume

TALLEST = 400  # pixels of the longest side of any of the three
GAP = 6
TICK = 14  # pixels


def save_planes(
    volume: Volume, mask: MaskArray, centre: tuple[float, float, float] | None, path: Path
) -> None:
    """Axial, coronal and sagittal slice through `centre` (RAS mm), or the middle of the grid.

    Cut along the voxel axes that come next to each plane, in radiological convention, the nose
    of the sagittal one to the left; all three on one scale.
    """
    sides = [display(volume, mask, plane) for plane in (AXIAL, CORONAL, SAGITTAL)]
    extents = [_extent(side) for side in sides]
    scale = TALLEST / max(max(extent) for extent in extents)
    panels = [
        _panel(side, _size(extent, scale), centre, scale)
        for side, extent in zip(sides, extents, strict=True)
    ]
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
    sheet = Image.new("RGB", (width, max(panel.height for panel in panels)))
    x = 0
    for panel in panels:
        sheet.paste(panel, (x, (sheet.height - panel.height) // 2))
        x += panel.width + GAP
    where = "middle" if centre is None else "largest lesion"
    save_png(captioned(sheet, f"Three planes through the {where}."), path)


def _extent(side: Display) -> tuple[float, float]:
    """Width and height of a slice in units of length."""
    _, rows, columns = side.grey.shape
    unit = side.column_mm or 1.0
    return columns * unit, rows * unit * side.aspect


def _size(extent: tuple[float, float], scale: float) -> tuple[int, int]:
    return max(1, round(extent[0] * scale)), max(1, round(extent[1] * scale))


def _panel(
    side: Display,
    size: tuple[int, int],
    centre: tuple[float, float, float] | None,
    scale: float,
) -> Image.Image:
    """One slice with outline, letters and scale bar, and ticks at the edges towards `centre`."""
    index = len(side.grey) // 2
    if centre is not None:
        index = min(max(0, round(side.voxel(centre)[2])), len(side.grey) - 1)
    panel = side.picture(index, size).convert("RGB")
    draw_outline(panel, side.outline(index, size), 2, OUTLINE)
    if centre is not None:
        _ticks(panel, side.place(centre, size))
    draw_letters(panel, side.letters, 20)
    draw_scale_bar(panel, None if side.column_mm is None else scale)
    return panel


def _ticks(panel: Image.Image, place: tuple[float, float]) -> None:
    """Short lines at the edges where the two other planes cut this one."""
    x, y = place
    width, height = panel.size
    draw = ImageDraw.Draw(panel)
    for start, end in (
        ((x, 0), (x, TICK)),
        ((x, height - TICK), (x, height)),
        ((0, y), (TICK, y)),
        ((width - TICK, y), (width, y)),
    ):
        draw.line([start, end], TEXT, 1)
