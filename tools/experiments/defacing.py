"""`python -m tools.experiments.defacing DATA`: what `export --deface` leaves of heads and faces.

DATA is a folder of cases (`<id>/<id>_flair.nii.gz` with `_seg.nii.gz` beside it); --brains a folder
of brain masks (`<id>_brain.nii.gz`) that somebody else made. "front skin" is what a camera sees
from the front: in the lower half of the brain's height, for each place from left to right and from
low to high, the foremost voxel of the head. It counts as gone where it lies 5 voxels further back.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from model.errors import GliowatchError
from model.inference.face import FaceError, without_face
from model.reading.nifti import read_nifti
from model.reading.read import read, scan_at, with_spacing
from model.rules import Spacing
from model.volume import Upright, Volume
from tools.experiments.cut_heads import scans_in

FURTHER = 5  # voxels
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Row:
    """One head: mask voxels lost, shares of brain kept and of front skin gone; None: not known."""

    lost: int
    brain: float | None
    skin: float


def show(
    data: Annotated[Path, typer.Argument(exists=True, help="a folder of cases")],
    brains: Annotated[Path | None, typer.Option(exists=True, help="brain masks")] = None,
    field_mm: Annotated[
        float | None, typer.Option(help="of sets without a voxel size: width of a slice")
    ] = None,
    height_mm: Annotated[float, typer.Option(help="and height of all slices together")] = 150.0,
    every: Annotated[int, typer.Option(min=1, help="look at each n-th head alone")] = 1,
    pictures: Annotated[Path | None, typer.Option(help="write front views here: faces!")] = None,
) -> None:
    """A line for each head, then the worst and the middle of all."""
    rows, bare, refused = [], 0, 0
    for path in scans_in(data)[::every]:
        name = path.name.removesuffix("_flair.nii.gz")
        volume, mask = _in_mm(read(scan_at(path)), field_mm, height_mm), _mask(path)
        try:
            done = without_face(volume, mask.astype(np.uint8))
        except FaceError as error:
            refused += 1
            typer.echo(f"{name}: {error}")
            continue
        if not done.had_face:
            bare += 1
            continue
        brain = _brain(brains, name)
        rows.append(_row(volume, done.volume, mask, brain))
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            views = [_front_view(each) for each in (volume, done.volume)]
            Image.fromarray(np.hstack(views)).save(pictures / f"{name}.png")
        typer.echo(f"{name}: {_words(rows[-1])}")
    typer.echo(f"{len(rows)} defaced, {bare} without a face, {refused} refused")
    _summary(rows)


def _summary(rows: list[Row]) -> None:
    if not rows:
        return
    typer.echo(f"mask voxels lost: {sum(row.lost for row in rows)}")
    kept = [row.brain for row in rows if row.brain is not None]
    for what, shares in (("brain kept", kept), ("front skin gone", [row.skin for row in rows])):
        if shares:
            low, middle = np.min(shares), np.median(shares)
            typer.echo(f"{what}: median {middle:.4f}, least {low:.4f} ({len(shares)} heads)")


def _words(row: Row) -> str:
    brain = "" if row.brain is None else f", brain kept {row.brain:.4f}"
    return f"mask voxels lost {row.lost}{brain}, front skin gone {row.skin:.3f}"


def _in_mm(volume: Volume, field_mm: float | None, height_mm: float) -> Volume:
    """The volume with a voxel size as a person would enter it; as it is without a field."""
    if field_mm is None:
        return volume
    pixel, slices = field_mm / volume.shape[0], volume.shape[volume.slice_axis]
    return with_spacing(volume, Spacing(pixel, pixel, height_mm / slices))


def _mask(path: Path) -> Bools:
    drawn = path.with_name(path.name.replace("_flair", "_seg"))
    try:
        return np.asarray(read_nifti(drawn).voxels > 0)
    except (GliowatchError, OSError):
        return np.zeros(read(scan_at(path)).shape, np.bool_)


def _brain(brains: Path | None, name: str) -> Bools | None:
    file = brains / f"{name}_brain.nii.gz" if brains else None
    return np.asarray(read_nifti(file).voxels > 0) if file and file.exists() else None


def _row(before: Volume, after: Volume, mask: Bools, brain: Bools | None) -> Row:
    changed = before.voxels != after.voxels
    kept = None
    if brain is not None:
        kept = 1 - float((brain & changed).sum()) / max(1, int(brain.sum()))
    return Row(int((mask & changed).sum()), kept, _skin_gone(before, after))


def _skin_gone(before: Volume, after: Volume) -> float:
    """Of the foremost voxels in the front half of the head, below its middle: those gone."""
    first, last = (_foremost(each) for each in (before, after))
    columns, heights = np.nonzero(first >= 0)
    low, high = heights.min(), heights.max()
    left, right = np.percentile(columns, (10, 90)).astype(int)
    front = first > np.median(first[first >= 0]) - 0.25 * first.max()
    front[:left], front[right:] = False, False
    front[:, (low + high) // 2 :] = False
    return float((first - last >= FURTHER)[front].mean()) if front.any() else 1.0


def _foremost(volume: Volume) -> NDArray[np.int64]:
    """(right, up): the index along A of the foremost voxel of the head; -1 where there is none."""
    head = Upright.of(volume.shape, volume.affine).turn(volume.levels.head(volume.voxels))
    last = head.shape[1] - 1
    return np.where(head.any(axis=1), last - head[:, ::-1].argmax(axis=1), -1)


def _front_view(volume: Volume) -> NDArray[np.uint8]:
    """The head's surface as it is seen from the front, lit from where the viewer stands."""
    depth = _foremost(volume).astype(np.float64)
    tall = max(1, round(160 / depth.shape[1]))
    depth = np.repeat(depth, tall, axis=1)
    slopes = np.gradient(depth)
    light = 1 / np.sqrt(1 + (slopes[0] / 2) ** 2 + (slopes[1] / 2) ** 2)
    shade = np.where(depth < 0, 0, 60 + 195 * light)
    return np.asarray(shade.T[::-1], np.uint8)


if __name__ == "__main__":
    typer.run(show)
