"""`python -m tools.atlas_makers.tissue_maps GREY WHITE HEAD`: cuts the average brain into slices.

The three NIfTI maps are those of ICBM 152 (nonlinear, symmetric, 2009a): the shares of grey and
white matter, and the T1-weighted brain. Needed once; the file that it made, tissues.npz, is kept.
"""

from pathlib import Path
from typing import Annotated

import nibabel.orientations as orientations
import numpy as np
import typer
from numpy.typing import NDArray
from scipy import ndimage

from model.inference.preprocessing import Grid, prepare, to_window
from model.reading.nifti import read_nifti
from model.volume import FloatArray, Volume

EVERY = 3  # mm between the slices kept
FROM, TO = 0.2, 0.92  # of the brain's height: below and above, a slice does not look like one
LEAST_PIXELS = 1500  # of brain on a slice


def cut(
    grey: Annotated[Path, typer.Argument(exists=True)],
    white: Annotated[Path, typer.Argument(exists=True)],
    head: Annotated[Path, typer.Argument(exists=True)],
    out: Annotated[Path, typer.Option("-o", "--out")] = Path("training/tissues.npz"),
) -> None:
    """Write grey and white as bytes and the brain as bits, on the network's grid."""
    volume = read_nifti(head)
    grid = prepare(volume).grid
    lit = _on_grid(volume, grid) > 0.05 * volume.voxels.max()
    brain = np.stack([ndimage.binary_fill_holes(slice_) for slice_ in lit])
    high = np.flatnonzero(brain.sum(axis=(1, 2)) > LEAST_PIXELS)
    chosen = high[int(FROM * len(high)) : int(TO * len(high)) : EVERY]
    parts = {
        name: _bytes(_on_grid(read_nifti(path), grid))[chosen]
        for name, path in (("grey", grey), ("white", white))
    }
    np.savez_compressed(out, allow_pickle=False, brain=np.packbits(brain[chosen]), **parts)


def _on_grid(volume: Volume, grid: Grid) -> FloatArray:
    lps = orientations.apply_orientation(volume.voxels, grid.to_lps)
    return to_window(np.ascontiguousarray(lps.transpose(2, 1, 0), np.float32), grid)


def _bytes(share: FloatArray) -> NDArray[np.uint8]:
    return np.asarray(np.round(share / share.max() * 255), np.uint8)


if __name__ == "__main__":
    typer.run(cut)
