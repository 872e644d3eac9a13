"""One slice of a published scan as a PNG, drawn in a process of its own for who has no WebGL2."""

import os
import tempfile
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from daemon.outputs.catalogue import text
from daemon.outputs.overlay import OUTLINE, OVERLAY_SIDE, draw_outline, finish
from daemon.outputs.slice_rendering import Display, display
from daemon.pipeline.outbox import report_in
from model.errors import NoSuchSlice
from model.volume import MaskArray

KEPT_SCANS = 2  # as they were read, in the process's memory: someone scrolls through them


def draw_slice(
    folder: Path, index: int, window: tuple[float, float], marks: str, opacity: float
) -> bytes:
    """A slice of the scan that was published in `folder`, as PNG. Raises NoSuchSlice.

    index: from 0; window: what of the head's brightness is black and what is white; marks:
    "outline", "fill" or "none"; opacity: of a filled mask, 0 to 1.
    """
    shown = _shown(folder, os.stat(folder).st_ino)
    if not 0 <= index < len(shown.grey):
        raise NoSuchSlice(text("intake.no_slice"))
    size = shown.size(OVERLAY_SIDE)
    picture = _windowed(shown.picture(index, size), window).convert("RGB")
    inside = shown.outline(index, size)
    if marks == "fill":
        layer = Image.fromarray((inside * round(255 * opacity)).astype(np.uint8))
        picture.paste(OUTLINE, mask=layer)
    elif marks == "outline":
        draw_outline(picture, inside, 2, OUTLINE)
    finish(picture, shown)
    content = BytesIO()
    picture.save(content, "PNG", compress_level=1)
    return content.getvalue()


def _windowed(picture: Image.Image, window: tuple[float, float]) -> Image.Image:
    black, white = (255 * end for end in window)
    shades = 255 * (np.arange(256) - black) / (white - black)
    return picture.point(np.clip(shades, 0, 255).round().astype(int).tolist())


@lru_cache(maxsize=KEPT_SCANS)
def _shown(folder: Path, inode: int) -> Display:
    """inode: of the folder, so that what was removed and came again is read again."""
    from daemon.pipeline.prior_scan import analyzed_volume
    from model.rules import FlairRules

    report = report_in(folder)
    if report is None:
        raise NoSuchSlice(text("intake.no_slice_files"))
    with tempfile.TemporaryDirectory() as scratch:
        volume = analyzed_volume(report.scan_id, report, folder, Path(scratch), FlairRules())
    return display(volume, _mask(folder, report.scan_id, volume.shape), is_kept=True)


def _mask(folder: Path, name: str, shape: tuple[int, int, int]) -> MaskArray | None:
    """The mask on the volume's grid; None of a scan that was not analyzed."""
    from model.reading.nifti import read_nifti

    if (drawn := folder / f"{name}_seg.nii.gz").exists():
        return (read_nifti(drawn).voxels > 0).astype(np.uint8)
    if (drawn := folder / f"{name}_seg.png").exists():
        with Image.open(drawn) as picture:
            return (np.asarray(picture.convert("L")).T > 0).astype(np.uint8).reshape(shape)
    return None
