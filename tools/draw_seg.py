"""`python -m tools.draw_seg`: a DICOM SEG drawn over the images that it refers to.

It knows nothing of a scan but the SEG's own references, so it shows where a PACS would see it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
import pydicom
import typer
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from scipy import ndimage

from daemon.outputs.overlay import OUTLINE, captioned

TILES = 3  # beside each other, those with the largest area


def draw(
    seg: Annotated[Path, typer.Argument(exists=True, help="the SEG")],
    images: Annotated[Path, typer.Argument(exists=True, help="folder of the images below it")],
    out: Annotated[Path, typer.Option("-o", "--out", help="PNG to write")],
) -> None:
    """Draw the slices of a SEG with the largest area over the images that they name."""
    marked = marked_images(pydicom.dcmread(seg))
    shown = sorted(marked, key=lambda name: -int(marked[name].sum()))[:TILES]
    found = _images(images, [uid for uid, _ in shown])
    tiles = [_tile(found[uid], n, marked[uid, n]) for uid, n in shown if uid in found]
    if not tiles:
        typer.echo("None of the images that the SEG names lie in that folder.", err=True)
        raise typer.Exit(2)
    sheet = Image.new("RGB", (sum(tile.width for tile in tiles), max(t.height for t in tiles)))
    left = 0
    for tile in tiles:
        sheet.paste(tile, (left, 0))
        left += tile.width
    captioned(sheet, "DICOM SEG over the images that it names.").save(out)


def marked_images(seg: Dataset) -> dict[tuple[str, int], NDArray[np.bool_]]:
    """By SOPInstanceUID and number of a frame, (rows, columns): where any segment lies on it."""
    marked: dict[tuple[str, int], NDArray[np.bool_]] = {}
    frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns) > 0
    for frame, told in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        source = told.DerivationImageSequence[0].SourceImageSequence[0]
        name = str(source.ReferencedSOPInstanceUID), int(source.get("ReferencedFrameNumber", 1))
        marked[name] = marked.get(name, np.zeros_like(frame)) | frame
    return marked


def _images(folder: Path, wanted: Iterable[str]) -> dict[str, Dataset]:
    names = set(wanted)
    found: dict[str, Dataset] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        if header.get("SOPInstanceUID") in names:
            found[str(header.SOPInstanceUID)] = pydicom.dcmread(path)
    return found


def _tile(image: Dataset, number: int, mask: NDArray[np.bool_]) -> Image.Image:
    pixels = image.pixel_array.reshape(-1, image.Rows, image.Columns)
    grey = pixels[number - 1].astype(np.float32)
    white = float(np.percentile(grey, 99.5)) or 1.0
    colours = np.repeat((grey / white * 255).clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    colours[mask & ~ndimage.binary_erosion(mask)] = OUTLINE
    return Image.fromarray(colours)


if __name__ == "__main__":
    typer.run(draw)
