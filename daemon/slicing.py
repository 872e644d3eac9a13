"""One slice of a published scan as a PNG, drawn in a process of its own for who has no WebGL2."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from daemon.outbox import report_in
from daemon.outputs.display import Display, display
from daemon.outputs.marks import OUTLINE, draw_outline
from daemon.outputs.pictures import OVERLAY_SIDE, finish
from model.errors import GliowatchError
from model.volume import MaskArray

KEPT_SCANS = 2  # as they were read, in the process's memory: someone scrolls through them
# What of the head's brightness is black and what is white; the same in static/windows.js.
WINDOWS: Mapping[int, tuple[float, float]] = {
    1: (0.0, 1.0),
    2: (0.0, 0.6),
    3: (0.0, 1.6),
    4: (0.25, 0.85),
    5: (0.5, 1.0),
}
MARKS = ("outline", "fill", "none")


class NoSuchSlice(GliowatchError):
    """The slice that was asked for is not there."""


@dataclass(frozen=True)
class Look:
    """How a slice is to be drawn. index: from 0, in the order of its pictures; window: a key of
    WINDOWS; marks: one of MARKS; opacity: of a filled mask, 0 to 1."""

    index: int
    window: int = 1
    marks: str = "outline"
    opacity: float = 0.4


def draw_slice(folder: Path, look: Look) -> bytes:
    """A slice of the scan that was published in `folder`, as PNG. Raises GliowatchError."""
    shown = _shown(folder, os.stat(folder).st_ino)
    if not 0 <= look.index < len(shown.grey):
        raise NoSuchSlice("There is no such slice.")
    size = shown.size(OVERLAY_SIDE)
    picture = _windowed(shown.picture(look.index, size), look.window).convert("RGB")
    inside = shown.outline(look.index, size)
    if look.marks == "fill":
        layer = Image.fromarray((inside * round(255 * look.opacity)).astype(np.uint8))
        picture.paste(OUTLINE, mask=layer)
    elif look.marks == "outline":
        draw_outline(picture, inside, 2, OUTLINE)
    finish(picture, shown)
    content = BytesIO()
    picture.save(content, "PNG", compress_level=1)
    return content.getvalue()


def _windowed(picture: Image.Image, window: int) -> Image.Image:
    black, white = (255 * end for end in WINDOWS[window])
    shades = 255 * (np.arange(256) - black) / (white - black)
    return picture.point(np.clip(shades, 0, 255).round().astype(int).tolist())


@lru_cache(maxsize=KEPT_SCANS)
def _shown(folder: Path, inode: int) -> Display:
    """inode: of the folder, so that what was removed and came again is read again."""
    from daemon.comparing import judged_volume  # only the process that draws needs the readers
    from model.reading.dicom_sequence import FlairRules

    report = report_in(folder)
    if report is None:
        raise NoSuchSlice("The files of this scan are not there any more.")
    with tempfile.TemporaryDirectory() as scratch:
        volume = judged_volume(report["scan_id"], report, folder, Path(scratch), FlairRules())
    return display(volume, _mask(folder, report, volume.shape), is_kept=True)


def _mask(folder: Path, report: dict[str, Any], shape: tuple[int, int, int]) -> MaskArray | None:
    """The mask on the volume's grid; None of a scan that was not judged."""
    from model.reading.nifti import read_nifti

    name = report["scan_id"]
    if (drawn := folder / f"{name}_seg.nii.gz").exists():
        return (read_nifti(drawn).voxels > 0).astype(np.uint8)
    if (drawn := folder / f"{name}_seg.png").exists():
        with Image.open(drawn) as picture:
            return (np.asarray(picture.convert("L")).T > 0).astype(np.uint8).reshape(shape)
    return None
