"""All prepared slices and masks of a data set in one compressed file, read with numpy alone.

So training can run where no medical reader is installed. The file is written by
training/preparation.py, or by training/mixed_cache.py where it holds several data sets.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from model.weights_config import Preparation

HOW = "preparation"
DRAWN_SLICES = "drawn_slices"  # of no patient
WHITE_LEVEL = 255  # intensities are kept as bytes: the sources have no more levels than that


@dataclass(frozen=True)
class CachedPatient:
    """One patient on the network's grid.

    slices: uint8 (n, rows, columns), 255 is white; mask (tumor) and brain: bool, same shape;
    gain: factor that normalises the intensities anew once all but the brain is removed;
    step: distance of the neighbours in slices. kind: the data set, "" where it is the only one;
    to_mni: float64 (3, 4), from (slice, row, column, 1) to MNI mm, None where it is not known.
    """

    patient: str
    slices: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    brain: NDArray[np.bool_]
    gain: float
    step: int
    kind: str = ""
    to_mni: NDArray[np.float64] | None = None


def load_cache(path: Path, patients: tuple[str, ...]) -> list[CachedPatient]:
    """The named patients from a cache file. KeyError names one that is missing."""
    with np.load(path, allow_pickle=False) as store:
        return [_load_patient(store, patient) for patient in patients]


def holds(path: Path, patients: tuple[str, ...], how: Preparation) -> bool:
    """Whether a cache file is there, made by this preparation, with all these patients."""
    try:
        with np.load(path, allow_pickle=False) as store:
            same = HOW in store.files and json.loads(str(store[HOW])) == asdict(how)
            return same and {name.split("/")[0] for name in store.files}.issuperset(patients)
    except (OSError, ValueError, EOFError, BadZipFile):  # none, or none of ours
        return False


def _load_patient(store: "np.lib.npyio.NpzFile", patient: str) -> CachedPatient:
    slices = store[f"{patient}/slices"]
    mask, brain = (
        np.unpackbits(store[f"{patient}/{name}"], count=slices.size)
        .reshape(slices.shape)
        .astype(bool)
        for name in ("mask", "brain")
    )
    gain, step = store[f"{patient}/numbers"]
    known = f"{patient}/kind" in store.files
    return CachedPatient(
        patient=patient,
        slices=slices,
        mask=mask,
        brain=brain,
        gain=float(gain),
        step=int(step),
        kind=str(store[f"{patient}/kind"]) if known else "",
        to_mni=store[to_mni] if (to_mni := f"{patient}/to_mni") in store.files else None,
    )


def load_drawn(path: Path, seen: str) -> NDArray[np.uint8]:
    """Slices (n, rows, columns) of that kind that were drawn tissue by tissue."""
    with np.load(path, allow_pickle=False) as store:
        drawn: NDArray[np.uint8] = store[f"{DRAWN_SLICES}/{seen}"]
        return drawn
