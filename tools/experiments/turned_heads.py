"""`python -m tools.experiments.turned_heads --data DIR`: does a turned head keep its sides?"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy import ndimage

from model.geometry import move
from model.measurement.findings import outermost
from model.measurement.location import Place, place_of
from model.measurement.midplane import Midplane, midplane_of_head
from model.reading.nifti import read_nifti
from model.volume import MaskArray, Volume
from training.datasets import choose_cases, find_cases

YAWS = (-25.0, -12.0, 12.0, 25.0)  # degrees


@dataclass(frozen=True)
class Turned:
    """What changed with a turn by `degrees`: the side, the plane's own turn, the reach across.

    off: degrees by which the plane turned more or less than the head; reach: mm.
    """

    degrees: float
    same_side: bool
    off: float
    reach: float


def show(
    data: Annotated[Path, typer.Option(exists=True, help="<id>/<id>_flair.nii.gz with _seg")],
    split: Annotated[Path | None, typer.Option(exists=True)] = None,
    subset: Annotated[str | None, typer.Option()] = None,
) -> None:
    """A line for each scan whose side changed, then how well the plane followed all turns."""
    cases = choose_cases(find_cases(data), split, subset)
    turns: list[Turned] = []
    for case in cases:
        mask = (read_nifti(case.mask).voxels > 0).astype(np.uint8)
        found = try_turns(read_nifti(case.flair), mask)
        for each in found:
            if not each.same_side:
                typer.echo(
                    f"{case.patient}: another side when turned by {each.degrees:.0f} degrees"
                )
        turns += found
    off, reach = (np.abs([getattr(each, name) for each in turns]) for name in ("off", "reach"))
    typer.echo(
        f"{len(cases)} scans, {len(turns)} turns: {sum(not each.same_side for each in turns)}"
        f" sides changed; the plane was off the turn by {np.median(off):.1f} degrees in the median,"
        f" {off.max():.1f} at most; the reach across it changed by {np.median(reach):.1f} mm,"
        f" {reach.max():.1f} at most"
    )


def try_turns(volume: Volume, mask: MaskArray) -> list[Turned]:
    """Turn a scan with its mask (not empty) by each of YAWS, against the scan as it is.

    All that is drawn counts as one, since resampling may part lesions that a thin bridge joins.
    """
    plane, place = _seen(volume, mask)
    found = []
    for degrees in YAWS:
        other_plane, other = _seen(*turned_about_s(volume, mask, degrees))
        turn = np.degrees(_yaw(other_plane) - _yaw(plane))
        reach = (other.across_midline_mm or 0) - (place.across_midline_mm or 0)
        found.append(Turned(degrees, other.side is place.side, float(turn - degrees), float(reach)))
    return found


def turned_about_s(volume: Volume, mask: MaskArray, degrees: float) -> tuple[Volume, MaskArray]:
    """Scan and mask turned in the plane of their third axis, on the same grid, left or right.

    For axial slices: from above, the head turns to its left by `degrees`.
    """
    first, second = volume.affine[:3, 0], volume.affine[:3, 1]
    is_mirrored = np.cross(first, second)[2] < 0
    turn = np.radians(-degrees if is_mirrored else degrees)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    steps = np.array(volume.spacing[:2])
    matrix = matrix * steps / steps[:, None]
    middle = (np.array(volume.shape[:2]) - 1) / 2
    offset = middle - matrix @ middle
    air = float(volume.voxels.min())
    slices = [
        ndimage.affine_transform(picture, matrix, offset, order=1, cval=air)
        for picture in volume.voxels.transpose(2, 0, 1)
    ]
    masks = [
        ndimage.affine_transform(area, matrix, offset, order=0) for area in mask.transpose(2, 0, 1)
    ]
    return replace(volume, voxels=np.stack(slices, -1)), np.stack(masks, -1)


def _seen(volume: Volume, mask: MaskArray) -> tuple[Midplane, Place]:
    plane = midplane_of_head(volume)
    assert plane is not None, "every case is a head"
    marked = mask.astype(bool)
    points = move(np.argwhere(marked), volume.affine)
    return plane, place_of(points, outermost(marked, volume.affine), plane)


def _yaw(plane: Midplane) -> float:
    return float(np.arctan2(plane.normal[1], plane.normal[0]))


if __name__ == "__main__":
    typer.run(show)
