"""All prepared slices and masks of a data set in one compressed file, read with numpy alone.

So training can run where no medical reader is installed; training/preparing.py writes the file.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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


def cached_patients(path: Path) -> set[str]:
    """Names of the patients that a cache file holds."""
    with np.load(path, allow_pickle=False) as store:
        return {name.split("/")[0] for name in store.files}


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
