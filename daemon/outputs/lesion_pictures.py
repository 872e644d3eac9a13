"""A picture of each of the largest lesions: its outline and its two diameters, on their slice."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from daemon.outputs.display import Display, display, enlarged, turn_like
from daemon.outputs.marks import OTHER, OUTLINE, captioned, draw_line, draw_outline
from daemon.outputs.pictures import OVERLAY_SIDE, finish
from daemon.outputs.png import save_png
from daemon.outputs.sentences import MOST_LESIONS, diameter_words
from model.measurement.findings import number_lesions
from model.volume import MaskArray, Volume

ENDS = ("longest_diameter_ends_ras_mm", "perpendicular_diameter_ends_ras_mm")


def save_lesions(volume: Volume, mask: MaskArray, report: dict[str, Any], folder: Path) -> None:
    """Write `<scan_id>_lesion<N>.png` for the lesions of a report, the largest first.

    The slice is that of the diameters where the report tells it, else that with most voxels.
    """
    lesions = report["lesions"][:MOST_LESIONS]
    if not lesions:
        return
    shown = display(volume, mask)
    numbered = turn_like(volume, number_lesions(mask, volume.affine))
    for lesion in lesions:
        picture = _picture(shown, numbered, lesion)
        name = f"{report['scan_id']}_lesion{lesion['id']}.png"
        words = f"Lesion {lesion['id']} of {len(report['lesions'])}: {diameter_words(lesion)}."
        save_png(captioned(picture, words), folder / name)


def _picture(shown: Display, numbered: NDArray[np.int32], lesion: dict[str, Any]) -> Image.Image:
    size = shown.size(OVERLAY_SIDE)
    index = _slice(shown, numbered == lesion["id"], lesion)
    picture = shown.picture(index, size).convert("RGB")
    others = shown.mask[index] & (numbered[index] != lesion["id"])
    draw_outline(picture, enlarged(others, size), 1, OTHER)
    draw_outline(picture, enlarged(numbered[index] == lesion["id"], size), 2, OUTLINE)
    for name, dashed in zip(ENDS, (False, True), strict=True):
        if ends := lesion.get(name):
            draw_line(picture, shown.place(ends[0], size), shown.place(ends[1], size), dashed)
    finish(picture, shown)
    return picture


def _slice(shown: Display, own: NDArray[np.bool_], lesion: dict[str, Any]) -> int:
    """Index, in display order, of the slice that shows the lesion."""
    if ends := lesion.get(ENDS[0]):
        return min(max(0, round(shown.voxel(ends[0])[2])), len(own) - 1)
    return int(own.sum(axis=(1, 2)).argmax())
