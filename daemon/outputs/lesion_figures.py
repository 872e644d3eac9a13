"""Pictures of each of the largest lesions, of its three planes, and of where the network looked."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from daemon.outputs.catalogue import text
from daemon.outputs.overlay import (
    OTHER,
    OUTLINE,
    OVERLAY_SIDE,
    TEXT,
    captioned,
    draw_letters,
    draw_line,
    draw_outline,
    draw_scale_bar,
    finish,
    save_png,
)
from daemon.outputs.slice_rendering import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    Display,
    display,
    enlarged,
    turn_like,
)
from daemon.outputs.wording import MOST_LESIONS, diameter_words
from daemon.report import Report
from daemon.report_parts import Lesion
from model.measurement.findings import number_lesions
from model.volume import FloatArray, MaskArray, Volume


def save_lesions(volume: Volume, mask: MaskArray, report: Report, folder: Path) -> None:
    """Write `<scan_id>_lesion<N>.png` for the lesions of a report, the largest first.

    The slice is that of the diameters where the report tells it, else that with most voxels.
    """
    lesions = report.lesions[:MOST_LESIONS]
    if not lesions:
        return
    shown = display(volume, mask)
    numbered = turn_like(volume, number_lesions(mask, volume.affine))
    for lesion in lesions:
        picture = _picture(shown, numbered, lesion)
        name = f"{report.scan_id}_lesion{lesion.id}.png"
        count, diameters = len(report.lesions), diameter_words(lesion)
        caption = text("drawn.lesion", number=lesion.id, count=count, diameters=diameters)
        save_png(captioned(picture, caption), folder / name)


def _picture(shown: Display, numbered: NDArray[np.int32], lesion: Lesion) -> Image.Image:
    size = shown.size(OVERLAY_SIDE)
    index = _slice(shown, numbered == lesion.id, lesion)
    picture = shown.picture(index, size).convert("RGB")
    others = shown.mask[index] & (numbered[index] != lesion.id)
    draw_outline(picture, enlarged(others, size), 1, OTHER)
    draw_outline(picture, enlarged(numbered[index] == lesion.id, size), 2, OUTLINE)
    lines = (lesion.longest_diameter_ends_ras_mm, lesion.perpendicular_diameter_ends_ras_mm)
    for ends, dashed in zip(lines, (False, True), strict=True):
        if ends:
            draw_line(picture, shown.place(ends[0], size), shown.place(ends[1], size), dashed)
    finish(picture, shown)
    return picture


def _slice(shown: Display, own: NDArray[np.bool_], lesion: Lesion) -> int:
    """Index, in display order, of the slice that shows the lesion."""
    if ends := lesion.longest_diameter_ends_ras_mm:
        return min(max(0, round(shown.voxel(ends[0])[2])), len(own) - 1)
    return int(own.sum(axis=(1, 2)).argmax())


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
    caption = text("drawn.planes_middle" if centre is None else "drawn.planes_lesion")
    save_png(captioned(sheet, caption), path)


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


WARM = np.array([255, 140, 0], np.float32)


def save_explanation(volume: Volume, heat: FloatArray, path: Path) -> None:
    """The explained slice in grey, the warmer the more it counted; the caption says what it is."""
    shown = display(volume, None)
    turned = turn_like(volume, heat)
    index = int(turned.sum(axis=(1, 2)).argmax())
    size = shown.size(OVERLAY_SIDE)
    grey = np.asarray(shown.picture(index, size).convert("RGB"), dtype=np.float32)
    warmth = Image.fromarray(turned[index]).resize(size, Image.Resampling.BILINEAR)
    share = 0.6 * np.clip(np.asarray(warmth), 0, 1)[..., None]
    picture = Image.fromarray((grey * (1 - share) + WARM * share).astype(np.uint8))
    where = text("drawn.explained", slice=index + 1)
    finish(picture, shown)
    save_png(captioned(picture, where), path)
