"""`python -m tools.atlas_makers.lobe_atlas GREY WHITE BRAIN`: makes the coarse atlas of lobes.

The three NIfTI maps are those of ICBM 152 (nonlinear, symmetric, 2009a). From them come the
tissues that a scan is fitted to. The lobes are drawn by straight lines between landmarks in MNI
mm (x to the right, y to the front, z up), which are those of any atlas of the brain: the
central sulcus from the paracentral lobule (y -34, z 75) past the hand knob (-25, 58; Yousry et
al., Brain 1997) to its foot (-4, 15); the Sylvian fissure from (15, -12) to (-40, 20); the
parieto-occipital sulcus from (-80, 38) to the calcarine's (-60, 8); the preoccipital notch
(-62, -15) (Talairach and Tournoux 1988, Ono et al. 1990, read off and rounded).
"""

from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from scipy import ndimage

from model.geometry import Points, move
from model.measurement.lobes import LOBES
from model.reading.nifti import read_nifti

STEP = 5  # mm between the points of the fit
LABEL_STEP = 2  # mm between labels
LOW, HIGH = np.array([-90, -126, -72]), np.array([91, 91, 109])  # MNI mm
BANDS = (0.0, 4.0, 9.0, 15.0, 30.0)  # mm outside the brain: fluid, bone, scalp, air
SEED = 6


def lobe_at(points: Points) -> NDArray[np.uint8]:
    """Number of the lobe in LOBES at points (n, 3) in MNI mm, as if all were brain."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    lobe = np.where(y > central_sulcus(z), LOBES.index("frontal"), LOBES.index("parietal"))
    temporal = (z < _sylvian(x, y, z)) & ~((y > 10) & (x < 25))
    lobe[temporal] = LOBES.index("temporal")
    lobe[y < _occipital(x, z)] = LOBES.index("occipital")
    deep = (x / 44) ** 2 + ((y + 5) / 34) ** 2 + ((z - 3) / 16) ** 2 < 1
    lobe[deep] = LOBES.index("deep")
    tent = -6 - 0.5 * x + 0.3 * np.minimum(y + 55, 0)
    below = (z < tent) & (y < -38)
    stem = (x < 16) & (y < -10) & (z < -8)
    lobe[below | stem] = LOBES.index("posterior fossa")
    return lobe.astype(np.uint8)


def central_sulcus(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """y of the central sulcus at a height."""
    return -4 - 0.5 * (np.maximum(z, 15) - 15)


def _sylvian(
    x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Below it is the temporal lobe: the fissure at the side, the temporal stem's height inside.

    Behind the fissure's end the border falls towards the middle of the occipital border.
    """
    lateral = np.where(y > -40, -12 - 0.58 * (y - 15), 20 + 0.29 * (y + 40))
    inside = np.clip((x - 20) / 25, 0, 1)
    return np.asarray(-8 + inside * (lateral + 8))


def _occipital(x: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """y behind which is the occipital lobe: by the sulcus inside, by the notch at the side."""
    medial = np.where(z > 8, -60 - (z - 8) * 20 / 30, -60 - (z - 8) * 12 / 18)
    lateral = -62 - (z + 15) * 18 / 53
    outside = np.clip((x - 15) / 25, 0, 1)
    return np.asarray(medial + outside * (lateral - medial))


def make(
    grey: Annotated[Path, typer.Argument(exists=True)],
    white: Annotated[Path, typer.Argument(exists=True)],
    brain: Annotated[Path, typer.Argument(exists=True)],
    out: Annotated[Path, typer.Option("-o", "--out")] = Path("model/measurement/lobes.npz"),
) -> None:
    """Write the points of the fit with their tissues, and the labels, as one compressed file."""
    volume = read_nifti(brain)
    to_voxels = np.asarray(np.linalg.inv(volume.affine), np.float64)
    lit = volume.voxels > 0.05 * volume.voxels.max()
    inside = ndimage.binary_fill_holes(ndimage.binary_closing(lit, iterations=3))
    shares = [read_nifti(path).voxels for path in (grey, white)]
    tissues = _tissues(np.asarray(inside), [share / share.max() for share in shares])
    points = _mesh(STEP)
    weights = _sampled(tissues, points, to_voxels)
    kept = (weights.sum(axis=1) > 0.5) & _is_useful(points, weights)
    order = np.random.default_rng(SEED).permutation(int(kept.sum()))
    labels = lobe_at(_mesh(LABEL_STEP)).reshape(*_counts(LABEL_STEP))
    np.savez_compressed(
        out,
        allow_pickle=False,
        points=points[kept][order].astype(np.int16),
        tissues=np.round(weights[kept][order] * 255).astype(np.uint8),
        labels=labels,
        label_origin=LOW.astype(np.int16),
        label_step=np.int16(LABEL_STEP),
    )


def _tissues(inside: NDArray[np.bool_], shares: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Shares of grey, white, other brain and four shells outside, smooth: (7, i, j, k)."""
    wide = np.pad(inside, 40)
    away = ndimage.distance_transform_edt(~wide)
    matter = [np.pad(share, 40) * wide for share in shares]
    other = np.clip(wide - matter[0] - matter[1], 0, 1)
    shells = [(away > near) & (away <= far) for near, far in pairwise(BANDS)]
    parts = [np.asarray(part, np.float32) for part in (*matter, other, *shells)]
    return np.stack([ndimage.gaussian_filter(part, 1.5) for part in parts])


def _sampled(tissues: NDArray[np.float32], points: Points, to_voxels: Points) -> Points:
    at = move(points, to_voxels) + 40
    return np.stack(
        [ndimage.map_coordinates(part, at.T, order=1, output=np.float64) for part in tissues], 1
    )


def _is_useful(points: Points, weights: Points) -> NDArray[np.bool_]:
    """Neither neck nor face: outside the brain only what lies above the skull's base."""
    in_brain = weights[:, :3].sum(axis=1) > 0.5
    x, y, z = points.T
    above = (z > -20) & ~((y > 30) & (z < 10)) & (np.abs(x) < 95)
    return np.asarray((in_brain & (z > -50)) | above)


def _counts(step: int) -> tuple[int, int, int]:
    i, j, k = (len(np.arange(low, high, step)) for low, high in zip(LOW, HIGH, strict=True))
    return i, j, k


def _mesh(step: int) -> Points:
    axes = [np.arange(float(low), float(high), step) for low, high in zip(LOW, HIGH, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


if __name__ == "__main__":
    typer.run(make)
