"""Reading is done once: all prepared slices and masks of a data set in one compressed file.

The file is read with numpy alone, so that training can run where no medical reader exists.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel.orientations as orientations
import numpy as np
from numpy.typing import NDArray

from model.preparation import Grid, prepare, to_window
from model.reading.nifti import read_nifti
from training.brain import crude_brain
from training.cases import Case

WHITE_LEVEL = 255  # intensities are kept as bytes: the sources have no more levels than that


@dataclass(frozen=True)
class CachedPatient:
    """One patient on the network's grid.

    slices: uint8 (n, ROWS, COLUMNS), 255 is white; mask (tumor) and brain: bool, same shape;
    gain: factor that normalises the intensities anew once all but the brain is removed;
    step: distance of the neighbours in slices.
    """

    patient: str
    slices: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    brain: NDArray[np.bool_]
    gain: float
    step: int


def build_cache(
    cases: dict[str, Case], target: Path, advance: Callable[[], object] = lambda: None
) -> None:
    """Prepare every case and write all to `target` (.npz); `advance` is called after each case.

    Raises UnreadableScan when a case cannot be read.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    for case in cases.values():
        cached = prepare_case(case)
        arrays[f"{case.patient}/slices"] = cached.slices
        arrays[f"{case.patient}/mask"] = np.packbits(cached.mask)
        arrays[f"{case.patient}/brain"] = np.packbits(cached.brain)
        arrays[f"{case.patient}/numbers"] = np.array([cached.gain, cached.step])
        advance()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part.npz")
    np.savez_compressed(partial, allow_pickle=False, **arrays)
    partial.replace(target)


def load_cache(path: Path, patients: tuple[str, ...]) -> list[CachedPatient]:
    """The named patients from a cache file. KeyError names one that is missing."""
    with np.load(path, allow_pickle=False) as store:
        return [_load_patient(store, patient) for patient in patients]


def cached_patients(path: Path) -> set[str]:
    """Names of the patients that a cache file holds."""
    with np.load(path, allow_pickle=False) as store:
        return {name.split("/")[0] for name in store.files}


def prepare_case(case: Case) -> CachedPatient:
    """Read one case and put it on the network's grid. Raises UnreadableScan."""
    prepared = prepare(read_nifti(case.flair))
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
