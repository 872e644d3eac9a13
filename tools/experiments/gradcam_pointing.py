"""`python -m tools.experiments.gradcam_pointing SCAN...`: does Grad-CAM point at the tumor?

Each scan has its mask beside it, `_seg` for `_flair`. On the explained slice: whether the
hottest pixel lies in the tumor (the pointing game of Zhang et al., IJCV 2018), and how much of
the heat does, beside the share of the head that is tumor, which chance would give.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy import ndimage

from model.intensity import brightness, head_mask
from model.network.gradcam import explain
from model.network.network import Network, load_network
from model.reading.nifti import read_nifti


@dataclass(frozen=True)
class Pointing:
    """hit: the hottest pixel is tumor; inside: share of the heat; chance: tumor's share of the
    head on the slice."""

    hit: bool
    inside: float
    chance: float


def pointing(scan: Path, network: Network) -> Pointing | None:
    """Where the network looked on a scan; None where no tumor was drawn on the explained slice."""
    volume = read_nifti(scan)
    drawn = read_nifti(scan.parent / scan.name.replace("_flair", "_seg")).voxels > 0
    heat = explain(volume, network).heat
    slices = heat.any(axis=tuple({0, 1, 2} - {volume.slice_axis}))
    index = int(np.flatnonzero(slices)[0]) if slices.any() else 0
    here, tumor, bright = (
        np.take(each, index, axis=volume.slice_axis)
        for each in (heat, drawn, brightness(volume.voxels))
    )
    if not tumor.any() or not here.any():
        return None
    head = np.asarray(ndimage.binary_fill_holes(head_mask(bright))) | tumor
    peak = np.unravel_index(int(here.argmax()), here.shape)
    return Pointing(
        bool(tumor[peak]), float(here[tumor].sum() / here.sum()), tumor.sum() / head.sum()
    )


def measure(scans: Annotated[list[Path], typer.Argument(exists=True)]) -> None:
    """Print a line a scan, and how many hits there were beside how many chance would give."""
    network = load_network()
    seen = []
    for scan in scans:
        found = pointing(scan, network)
        if found is None:
            typer.echo(f"{scan.name}: no tumor drawn on the explained slice")
            continue
        seen.append(found)
        typer.echo(
            f"{scan.name}: {'hit' if found.hit else 'miss'}, {100 * found.inside:.0f} % of the"
            f" heat in the tumor, {100 * found.chance:.0f} % of the head is tumor"
        )
    typer.echo(
        f"hits {sum(each.hit for each in seen)} of {len(scans)}, by chance"
        f" {sum(each.chance for each in seen):.1f}; heat in the tumor"
        f" {100 * np.mean([each.inside for each in seen]):.0f} %, by chance"
        f" {100 * np.mean([each.chance for each in seen]):.0f} %"
    )


if __name__ == "__main__":
    typer.run(measure)
