"""One slice of a published scan as a PNG, drawn in a process of its own for who has no WebGL2."""

import os
import tempfile
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from daemon.looks import WINDOWS, Look, NoSuchSlice
from daemon.outbox import report_in
from daemon.outputs.display import Display, display
from daemon.outputs.marks import OUTLINE, draw_outline
from daemon.outputs.pictures import OVERLAY_SIDE, finish
from model.volume import MaskArray

KEPT_SCANS = 2  # as they were read, in the process's memory: someone scrolls through them


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
    from model.reading.flair_rules import FlairRules

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
