"""`python -m tools.experiments.shifted_heads SCAN... --data DIR`: is the midline shift right?"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy import ndimage

from model.geometry import inverse, move
from model.measurement.midline_shift import LEAST_MM, MidlineShift, midline_shift
from model.measurement.midplane import Midplane, midplane_of_head
from model.reading.nifti import read_nifti
from model.volume import MaskArray, Volume
from training.datasets import Case, choose_cases, find_cases

PUSHES = (0.0, -10.0, -6.0, -3.0, 3.0, 6.0, 10.0)  # mm, positive to the right
WIDTH_MM = 28.0  # standard deviation of a push along the mid-plane
SKULL_MM = 62.0  # from the mid-plane, where nothing is pushed any more
MIDDLE = (0.5, 0.55)  # of the brain from back to front and from bottom to top: the push's middle


def show(
    scans: Annotated[
        list[Path] | None, typer.Argument(exists=True, help="heads that nothing pushes")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(exists=True, help="<id>/<id>_flair.nii.gz with _seg")
    ] = None,
    split: Annotated[Path | None, typer.Option(exists=True)] = None,
    subset: Annotated[str | None, typer.Option()] = None,
) -> None:
    """A row for each scan, pushed by known distances; then whether tumors push the midline away."""
    off = [number for scan in scans or () for number in _row(scan)]
    if off:
        middle, most = np.median(off), max(off)
        typer.echo(f"{len(off)} told; off by {middle:.1f} mm in the median, {most:.1f} at most")
    if data:
        _show_tumors(list(choose_cases(find_cases(data), split, subset)))


def _row(scan: Path) -> list[float]:
    """What was found as the scan is, and after each push; how far off the pushed ones are."""
    volume = read_nifti(scan)
    plane = midplane_of_head(volume)
    assert plane is not None, "every scan is a head"
    found = [shift_of(pushed(volume, plane, push)) if push else shift_of(volume) for push in PUSHES]
    cells = ["not told" if each is None else f"{each:+.1f}" for each in found]
    typer.echo(f"| {scan.name} | {' | '.join(cells)} |")
    pairs = zip(PUSHES, found, strict=True)
    return [abs(each - push) for push, each in pairs if push and each is not None]


def shift_of(volume: Volume, mask: MaskArray | None = None) -> float | None:
    """The midline shift in mm, positive to the right, with the mid-plane found anew."""
    none = np.zeros(volume.shape, np.uint8)
    found = midline_shift(volume, none if mask is None else mask, midplane_of_head(volume))
    return None if found is None else found.mm


def pushed(volume: Volume, plane: Midplane, push: float) -> Volume:
    """The head with its middle pushed by so many mm to the right, and the skull where it was.

    The push falls along the mid-plane as a Gaussian about MIDDLE, and in a straight line to
    nothing at SKULL_MM to both sides. plane: with the brain's extent.
    """
    assert plane.brain is not None, "a head has an extent"
    spans = (plane.brain.to_front, plane.brain.to_top)
    points = move(np.argwhere(np.ones(volume.shape, bool)), volume.affine)
    along = np.zeros(len(points))
    for span, middle in zip(spans, MIDDLE, strict=True):
        from_middle = points @ span.direction - span.first - middle * (span.last - span.first)
        along += (from_middle / WIDTH_MM) ** 2
    height = push * np.exp(-along / 2)
    away = plane.signed_distance(points)
    before = away.copy()
    for _ in range(15):  # where what lies there now came from
        before = away - height * np.clip(1 - np.abs(before) / SKULL_MM, 0, 1)
    source = points + (before - away)[:, None] * plane.normal
    voxels = ndimage.map_coordinates(
        volume.voxels, move(source, inverse(volume.affine)).T, order=1, mode="nearest"
    )
    return replace(volume, voxels=voxels.reshape(volume.shape).astype(np.float32))


def _show_tumors(cases: list[Case]) -> None:
    """How many are told, and how many of those that are shifted are shifted off the tumor."""
    told = [each for case in cases if (each := _of_case(case))[0].mm is not None]
    shifted = [(shift, tumor) for shift, tumor in told if shift.to is not None]
    away = sum((shift.mm or 0) * tumor < 0 for shift, tumor in shifted)
    typer.echo(
        f"{len(told)} of {len(cases)} told, {len(shifted)} of them {LEAST_MM:.0f} mm or more"
    )
    typer.echo(f"{away} of these {len(shifted)} away from the side where the tumor lies")


def _of_case(case: Case) -> tuple[MidlineShift, float]:
    """The shift, and how far to the right the drawn tumor's middle lies, in mm."""
    volume = read_nifti(case.flair)
    mask = (read_nifti(case.mask).voxels > 0).astype(np.uint8)
    plane = midplane_of_head(volume)
    assert plane is not None, "every case is a head"
    found = midline_shift(volume, mask, plane) or MidlineShift(None, 0)
    tumor = plane.signed_distance(move(np.argwhere(mask), volume.affine))
    return found, float(tumor.mean())


if __name__ == "__main__":
    typer.run(show)
