"""Reading is done once: every case is put on the network's grid and kept in the cache file."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import nibabel.orientations as orientations
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.inference.preprocessing import Grid, Prepared, prepare, to_window
from model.reading.nifti import read_nifti
from model.weights_config import STANDARD, Preparation
from training.cache import HOW, WHITE_LEVEL, CachedPatient
from training.datasets import Case


def crude_brain(slices: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the brain is, roughly: bool (n, rows, columns), as wide as `slices`.

    Tissue between air and fat in brightness is eroded slice by slice until the dark bone parts
    it from the scalp, the largest piece is kept and grown back. The drawn tumor is always in.
    """
    lit = slices[slices > 20]
    level = float(np.median(lit)) if lit.size else 0.0
    tissue = (slices > 0.5 * level) & (slices < 2.2 * level)
    tissue |= mask
    disc = _disc(4)
    core = ndimage.binary_erosion(tissue, disc[None])
    pieces, count = ndimage.label(core)
    if not count:
        return np.zeros_like(mask)
    sizes = np.bincount(pieces.ravel())[1:]
    brain = ndimage.binary_dilation(pieces == 1 + int(np.argmax(sizes)), _disc(6)[None])
    brain = ndimage.binary_closing(brain, disc[None], border_value=0) | mask
    filled: NDArray[np.bool_] = np.stack([ndimage.binary_fill_holes(piece) for piece in brain])
    return filled


def _disc(radius: int) -> NDArray[np.bool_]:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    inside: NDArray[np.bool_] = x * x + y * y <= radius * radius
    return inside


def build_cache(
    cases: dict[str, Case],
    target: Path,
    how: Preparation = STANDARD,
    advance: Callable[[], object] = lambda: None,
) -> None:
    """Prepare every case and write all to `target` (.npz); `advance` is called after each case.

    Raises UnreadableScan when a case cannot be read.
    """
    arrays: dict[str, NDArray[np.generic]] = {HOW: np.array(json.dumps(asdict(how)))}
    for case in cases.values():
        arrays |= arrays_of(prepare_case(case, how))
        advance()
    save_cache(arrays, target)


def arrays_of(cached: CachedPatient) -> dict[str, NDArray[np.generic]]:
    """What a cache file holds of a patient, by the names of its parts."""
    return {
        f"{cached.patient}/slices": cached.slices,
        f"{cached.patient}/mask": np.packbits(cached.mask),
        f"{cached.patient}/brain": np.packbits(cached.brain),
        f"{cached.patient}/numbers": np.array([cached.gain, cached.step]),
    }


def save_cache(arrays: dict[str, NDArray[np.generic]], target: Path) -> None:
    """Write whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part.npz")
    np.savez_compressed(partial, allow_pickle=False, **arrays)
    partial.replace(target)


def prepare_case(case: Case, how: Preparation = STANDARD) -> CachedPatient:
    """Read one case and put it on the network's grid. Raises UnreadableScan."""
    tumor = read_nifti(case.mask).voxels > 0
    return on_grid(case.patient, tumor, prepare(read_nifti(case.flair), how))


def on_grid(patient: str, tumor: NDArray[np.bool_], prepared: Prepared) -> CachedPatient:
    """A prepared scan as the cache holds it; tumor: as drawn, on the file's own grid."""
    drawn = mask_on_grid(tumor, prepared.grid)
    slices = np.round(prepared.slices * WHITE_LEVEL).astype(np.uint8)
    brain = crude_brain(slices, drawn)
    inside = slices[brain & prepared.head]
    outside = slices[prepared.head]
    gain = float(np.median(outside) / np.median(inside)) if inside.size and outside.size else 1.0
    return CachedPatient(
        patient=patient, slices=slices, mask=drawn, brain=brain, gain=gain, step=prepared.step
    )


def mask_on_grid(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    """A mask of the file's own grid (i, j, k) on the network's: bool (n, rows, columns)."""
    lps = orientations.apply_orientation(mask.astype(np.float32), grid.to_lps)
    inside: NDArray[np.bool_] = to_window(np.ascontiguousarray(lps.transpose(2, 1, 0)), grid) > 0.5
    return inside
