"""All prepared slices and masks of a data set in one compressed file, read with numpy alone.

So training can run where no medical reader is installed; training/cache.py writes the file.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel.orientations as orientations
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.inference.preprocessing import Grid, prepare, to_window
from model.reading.nifti import read_nifti
from model.weights_config import STANDARD, Preparation
from training.datasets import Case

HOW = "preparation"
WHITE_LEVEL = 255  # intensities are kept as bytes: the sources have no more levels than that


@dataclass(frozen=True)
class CachedPatient:
    """One patient on the network's grid.

    slices: uint8 (n, rows, columns), 255 is white; mask (tumor) and brain: bool, same shape;
    gain: factor that normalises the intensities anew once all but the brain is removed;
    step: distance of the neighbours in slices.
    """

    patient: str
    slices: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    brain: NDArray[np.bool_]
    gain: float
    step: int


def load_cache(path: Path, patients: tuple[str, ...]) -> list[CachedPatient]:
    """The named patients from a cache file. KeyError names one that is missing."""
    with np.load(path, allow_pickle=False) as store:
        return [_load_patient(store, patient) for patient in patients]


def holds(path: Path, patients: tuple[str, ...], how: Preparation) -> bool:
    """Whether a cache file is there, made by this preparation, with all these patients."""
    if not path.exists():
        return False
    with np.load(path, allow_pickle=False) as store:
        same = HOW in store.files and json.loads(str(store[HOW])) == asdict(how)
        return same and {name.split("/")[0] for name in store.files}.issuperset(patients)


def _load_patient(store: "np.lib.npyio.NpzFile", patient: str) -> CachedPatient:
    slices = store[f"{patient}/slices"]
    mask, brain = (
        np.unpackbits(store[f"{patient}/{name}"], count=slices.size)
        .reshape(slices.shape)
        .astype(bool)
        for name in ("mask", "brain")
    )
    gain, step = store[f"{patient}/numbers"]
    return CachedPatient(patient, slices, mask, brain, float(gain), int(step))


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
        cached = prepare_case(case, how)
        arrays[f"{case.patient}/slices"] = cached.slices
        arrays[f"{case.patient}/mask"] = np.packbits(cached.mask)
        arrays[f"{case.patient}/brain"] = np.packbits(cached.brain)
        arrays[f"{case.patient}/numbers"] = np.array([cached.gain, cached.step])
        advance()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part.npz")
    np.savez_compressed(partial, allow_pickle=False, **arrays)
    partial.replace(target)


def prepare_case(case: Case, how: Preparation = STANDARD) -> CachedPatient:
    """Read one case and put it on the network's grid. Raises UnreadableScan."""
    prepared = prepare(read_nifti(case.flair), how)
    drawn = _to_network(read_nifti(case.mask).voxels > 0, prepared.grid)
    slices = np.round(prepared.slices * WHITE_LEVEL).astype(np.uint8)
    brain = crude_brain(slices, drawn)
    inside = slices[brain & prepared.head]
    outside = slices[prepared.head]
    gain = float(np.median(outside) / np.median(inside)) if inside.size and outside.size else 1.0
    return CachedPatient(case.patient, slices, drawn, brain, gain, prepared.step)


def _to_network(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    lps = orientations.apply_orientation(mask.astype(np.float32), grid.to_lps)
    inside: NDArray[np.bool_] = to_window(np.ascontiguousarray(lps.transpose(2, 1, 0)), grid) > 0.5
    return inside
