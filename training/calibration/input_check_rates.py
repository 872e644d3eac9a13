"""`python -m training.calibration.input_check_rates RUN...`: how often it errs, kind by kind.

Each run of the recipe `gate` is asked about the scans that its fold put aside: whole ones as they
are, heads that are truly stripped, half fields of view, slices made into pictures as people upload
them, other views and turned slices. All comes from the file that the runs learned from.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy import stats

from model.inference.input_check import InputCheck, middle_slices, read_input_check
from model.volume import FloatArray
from model.weights_config import InputClass
from training.augmentation.uploaded_pictures import as_picture
from training.cache import WHITE_LEVEL, CachedPatient, load_cache
from training.datasets import read_split
from training.folds import LEARNED
from training.outcomes import LEAST_FLAIR
from training.recipes.input_check import other_view, turned

HEAD = 0.05  # of white: what is brighter is head
PICTURES = 6  # of each scan

Shown = tuple[str, FloatArray, bool]  # its kind, prepared slices (n, rows, columns), is a picture


def shown_of(patient: CachedPatient) -> Iterator[Shown]:
    """All ways in which a scan is shown to the check; the same ones each time."""
    chance = np.random.default_rng(list(patient.patient.encode()))
    whole = patient.slices.astype(np.float32) / np.float32(WHITE_LEVEL)
    kind = patient.kind
    for name, slices in _parts(whole):
        yield f"{kind}{name}", slices[_middle(slices, patient.step)], False
    middle = whole[_middle(whole, patient.step)]
    if not len(middle):
        return
    for k in chance.integers(len(middle), size=PICTURES):
        upright = bool(chance.random() < 0.5)
        picture, _ = as_picture(middle[k], np.zeros_like(middle[k]), chance, upright)
        yield f"{kind}, {'upright' if upright else 'any'} picture", picture[None], True
    if kind not in LEARNED:
        return
    if kind == "lgg":
        stripped = (whole * patient.brain * np.float32(patient.gain)).clip(0, 1)
        yield "lgg, stripped", stripped[_middle(stripped, patient.step)], False
    yield "another view", np.stack([other_view(patient, chance) for _ in range(PICTURES)]), False
    over = np.stack([np.ascontiguousarray(turned(each, chance)) for each in middle[:1]])
    yield "turned", over, False


def _parts(whole: FloatArray) -> Iterator[tuple[str, FloatArray]]:
    filled = np.flatnonzero(whole.any(axis=(1, 2)))
    half = filled[len(filled) // 2] if filled.size else 0
    yield "", whole
    yield ", upper half", whole[half:]
    yield ", lower half", whole[:half]


def _middle(slices: FloatArray, step: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return middle_slices(slices > HEAD, step) if len(slices) else np.zeros(0, np.int64)


def rates(
    check: InputCheck, patients: list[CachedPatient], counts: dict[str, list[bool]]
) -> Iterator[str]:
    """Add to the counts whether each is let in; which whole scans are let in, or not, wrongly."""
    for patient in patients:
        for kind, slices, is_picture in shown_of(patient):
            is_in = check.most_like(check.shares_of(slices), is_picture) is InputClass.FLAIR
            counts[kind].append(is_in)
            if kind == patient.kind and is_in != (kind in LEARNED):
                yield patient.patient


def show(
    cache: Annotated[Path, typer.Option(exists=True, help="that the runs learned from, .npz")],
    runs: Annotated[list[Path], typer.Argument(exists=True, help="folders of runs")],
    least: Annotated[float, typer.Option(help="share of FLAIR that lets a scan in")] = LEAST_FLAIR,
) -> None:
    """One line a kind: how many are let in, with Wilson's 95 % interval."""
    counts: dict[str, list[bool]] = defaultdict(list)
    say: Callable[[str], object] = typer.echo
    for run in runs:
        check = read_input_check(run / "weights.safetensors", least)
        aside = load_cache(cache, read_split(run / "split.json")["validation"])
        for name in rates(check, aside, counts):
            say(f"wrong: {name}")
    for kind, is_in in sorted(counts.items()):
        interval = stats.binomtest(sum(is_in), len(is_in)).proportion_ci(method="wilson")
        ends = [round(100 * interval.low, 1), round(100 * interval.high, 1)]
        say(json.dumps({"kind": kind, "let_in": sum(is_in), "of": len(is_in), "percent_95": ends}))


if __name__ == "__main__":
    typer.run(show)
