"""`python -m tools.experiments.input_check_shares SCAN...`: what the input check takes scans for.

Turned means: stored as if their sagittal or coronal planes were the axial ones.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import nibabel.orientations as orientations
import numpy as np
import typer

from model.inference.input_check import load_input_check
from model.inference.preprocessing import LPS, prepare
from model.reading.read import read, scan_at
from model.volume import Volume

TURNS = {"sagittal": (1, 2, 0), "coronal": (0, 2, 1)}  # axes of (L, P, S) that become L, P, S


def show(
    scans: Annotated[list[Path], typer.Argument(exists=True, help="files, DICOM folders")],
    turned: Annotated[bool, typer.Option("--turned", help="of near-isotropic scans")] = False,
) -> None:
    """One line a scan: the share of each class, by the shipped gate."""
    input_check = load_input_check(0.0)
    for scan in scans:
        volume = read(scan_at(scan))
        shown = {plane: turn(volume, axes) for plane, axes in TURNS.items()}
        for plane, each in shown.items() if turned else [("as it is", volume)]:
            shares = input_check.shares(prepare(each))
            words = "  ".join(f"{seen} {share:.2f}" for seen, share in shares.items())
            typer.echo(f"{scan.name}, {plane}: {words}")


def turn(volume: Volume, axes: tuple[int, int, int]) -> Volume:
    """The volume with its planes exchanged, upright, and an affine that claims axial slices."""
    to_lps = orientations.ornt_transform(orientations.io_orientation(volume.affine), LPS)
    lps = orientations.apply_orientation(volume.voxels, to_lps)
    if axes[1] == 2:  # up in the body is up in the picture, whose rows run downwards
        lps = lps[:, :, ::-1]
    mm = float(np.mean(volume.spacing))
    voxels = np.ascontiguousarray(lps.transpose(axes))
    return replace(volume, voxels=voxels, affine=np.diag([-mm, -mm, mm, 1.0]))


if __name__ == "__main__":
    typer.run(show)
