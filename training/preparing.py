"""Reading is done once: every case is put on the network's grid and kept in the cache file."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import nibabel.orientations as orientations
import numpy as np
from numpy.typing import NDArray

from model.framing import STANDARD, Preparation
from model.preparation import Grid, prepare, to_window
from model.reading.nifti import read_nifti
from training.brain import crude_brain
from training.cache import HOW, WHITE_LEVEL, CachedPatient
from training.cases import Case


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
