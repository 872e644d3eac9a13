"""Fits model/certainty.py to patients that the judging network had not learned from, and checks it.

Every rate is measured on folds that the numbers were not fitted on either.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from model.certainty import EDGE, Certainty, promised_dice, spread
from model.overlap import Mask, dice
from model.segmentation import without_specks
from model.volume import FloatArray
from training.cases import DatasetError
from training.rates import Checked, checked_by

RATE = 0.9  # of the scans whose drawn volume should lie in the range
SAMPLES = 20_000  # voxels of each patient that calibrate the probabilities
BASES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
FEWEST = 4


@dataclass(frozen=True)
class Judged:
    """A patient judged out of fold. probability: as the network gave it; head: where to look;
    drawn: a person's mask; all of the same shape. fewest: voxels of a piece that is kept."""

    fold: int
    probability: FloatArray
    head: Mask
    drawn: Mask
    fewest: float = 1.0


def fit(patients: Sequence[Judged], threshold: float) -> Certainty:
    """All numbers from these patients. Raises DatasetError when too few have a mask."""
    slope = _slope(patients)
    plain = Certainty(slope, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, RATE, threshold)
    rows = np.array([row for p in patients if (row := _row(p, plain, threshold)) is not None])
    if len(rows) < FEWEST:
        raise DatasetError(f"Certainty needs {FEWEST} patients in whom tumor was drawn and found.")
    promised, width, reached, error = rows.T
    line = np.polyfit(promised, reached, 1)
    base = min(BASES, key=lambda b: _mean_length(error, width + b))
    low, high = _quantiles(error / (width + base))
    rate = min(RATE, (len(rows) - 1) / (len(rows) + 1))  # few patients cannot promise more
    widest = width.max() + base
    numbers = (slope, *line, low, high, base, widest, rate, threshold)
    return Certainty(*(round(float(number), 5) for number in numbers))


def check(patients: Sequence[Judged], threshold: float) -> list[Checked]:
    """Each fold by the numbers that were fitted on all others, in the order of `patients`."""
    fitted = {
        fold: fit([p for p in patients if p.fold != fold], threshold)
        for fold in {p.fold for p in patients}
    }
    return [compare(patient, fitted[patient.fold], threshold) for patient in patients]


def compare(patient: Judged, certainty: Certainty, threshold: float) -> Checked:
    """What the numbers say of a patient, beside the truth."""
    probability, mask = _mask(patient, certainty, threshold)
    trust = certainty.trust(mask.astype(np.uint8), probability)
    score = dice(mask, patient.drawn)
    return checked_by(score, trust, int(patient.drawn.sum()), int(mask.sum()))


def _mask(patient: Judged, certainty: Certainty, threshold: float) -> tuple[FloatArray, Mask]:
    """Calibrated probabilities and the mask that a report would show."""
    probability = certainty.calibrated(patient.probability)
    return probability, without_specks(probability >= threshold, patient.fewest)


def _slope(patients: Sequence[Judged]) -> float:
    """The slope of the logits that makes the drawn voxels most likely."""
    logits, drawn = [], []
    for number, patient in enumerate(patients):
        inside = patient.head & (patient.probability > EDGE)
        values, truth = patient.probability[inside], patient.drawn[inside]
        chance = np.random.default_rng(number)
        chosen = chance.choice(values.size, min(SAMPLES, values.size), replace=False)
        kept = np.clip(values[chosen].astype(np.float64), EDGE, 1 - EDGE)
        logits.append(np.log(kept) - np.log1p(-kept))
        drawn.append(truth[chosen])
    x, y = np.concatenate(logits), np.concatenate(drawn).astype(float)

    def loss(slope: float) -> float:
        return float(np.mean(np.logaddexp(0, slope * x) - y * slope * x))

    return float(optimize.minimize_scalar(loss, bounds=(0.01, 10), method="bounded").x)


def _row(
    patient: Judged, certainty: Certainty, threshold: float
) -> tuple[float, float, float, float] | None:
    """Promised Dice, spread, reached Dice, log of drawn over found; None for an empty mask."""
    probability, mask = _mask(patient, certainty, threshold)
    if not mask.any() or not patient.drawn.any():
        return None
    return (
        promised_dice(mask.astype(np.uint8), probability),
        spread(probability),
        dice(mask, patient.drawn),
        float(np.log(patient.drawn.sum() / mask.sum())),
    )


def _quantiles(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Lower and upper conformal quantile: each side may miss half of 1 - RATE."""
    count = len(scores)
    tail = (1 - RATE) / 2
    rank = min(int(np.ceil((1 - tail) * (count + 1))), count)
    ordered = np.sort(scores)
    return float(ordered[count - rank]), float(ordered[rank - 1])


def _mean_length(error: NDArray[np.float64], width: NDArray[np.float64]) -> float:
    low, high = _quantiles(error / width)
    return float((width * (high - low)).mean())
