"""Fits confidence and volume range to patients that the network had not learned from; checks both.

Every rate is measured on folds that the numbers were not fitted on either.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from model.geometry import Mask, dice
from model.inference.analysis import LOW_CONFIDENCE
from model.inference.confidence import EDGE, Certainty, Trust, promised_dice, spread
from model.inference.preprocessing import from_window, prepare
from model.inference.segmentation import Rules, around, fewest_voxels, without_specks
from model.network.network import Network
from model.reading.nifti import read_nifti
from model.volume import FloatArray
from training.datasets import Case, DatasetError

Numbers = NDArray[np.float64]
Plain = float | int | list[float] | None

POOR = 0.8  # a mask below this Dice should get a lower confidence than one above it
DRAWS = 1_000  # of the patients, for an interval


@dataclass(frozen=True)
class Checked:
    """A patient as numbers: Dice, confidence, and whether the drawn volume lies in the range.

    ratio: upper over lower end of the range, None for an empty mask, which has no range: it is
    counted as one of no confidence that covers nothing.
    """

    dice: float
    confidence: float
    covered: bool
    ratio: float | None


def checked_by(score: float, trust: Trust | None, drawn: int, found: int) -> Checked:
    """A Dice and what was said of the mask, beside the voxels drawn and found."""
    if trust is None:
        return Checked(score, 0.0, False, None)
    covered = trust.low * found <= drawn <= trust.high * found
    return Checked(score, trust.confidence, covered, trust.high / trust.low)


def rates(checked: Sequence[Checked]) -> dict[str, Plain]:
    """Coverage and its 95 % interval (Wilson), and how well the confidence sorts, with theirs.

    flagged: masks below LOW_CONFIDENCE; poor: those below the Dice POOR.
    """
    covered = sum(c.covered for c in checked)
    interval = stats.binomtest(covered, len(checked)).proportion_ci(method="wilson")
    scores = np.array([c.dice for c in checked])
    sure = np.array([c.confidence for c in checked])
    poor, flagged = scores < POOR, sure < LOW_CONFIDENCE
    figures: dict[str, Plain] = {
        "patients": len(checked),
        "empty_masks": sum(c.ratio is None for c in checked),
        "covered": covered / len(checked),
        "covered_95": [round(float(interval.low), 4), round(float(interval.high), 4)],
        "range_ratio_median": float(np.median([c.ratio for c in checked if c.ratio] or [np.nan])),
        "confidence_error": float(np.abs(scores - sure).mean()),
        "rank_correlation": _rank_correlation(sure, scores),
        "rank_correlation_95": _interval(_rank_correlation, sure, scores),
        "poor": int(poor.sum()),
        "flagged": int(flagged.sum()),
        "flagged_and_poor": int((flagged & poor).sum()),
        "area_under_curve": _area_under_curve(sure, scores),
        "area_under_curve_95": _interval(_area_under_curve, sure, scores),
    }
    return {name: _plain(value) for name, value in figures.items()}


def _plain(value: Plain) -> Plain:
    """A value for JSON, where a figure that cannot be computed is null."""
    if not isinstance(value, float):
        return value
    return None if np.isnan(value) else round(value, 4)


def _rank_correlation(sure: Numbers, scores: Numbers) -> float:
    """Spearman's; nan where one of the two does not vary."""
    if np.ptp(sure) == 0 or np.ptp(scores) == 0:
        return float("nan")
    return float(stats.spearmanr(sure, scores).statistic)


def _area_under_curve(sure: Numbers, scores: Numbers) -> float:
    """Chance that a poor mask has a lower confidence than a good one (Mann-Whitney)."""
    poor = scores < POOR
    if poor.all() or not poor.any():
        return float("nan")
    u = stats.mannwhitneyu(sure[~poor], sure[poor]).statistic
    return float(u / (poor.sum() * (~poor).sum()))


def _interval(
    figure: Callable[[Numbers, Numbers], float], sure: Numbers, scores: Numbers
) -> list[float] | None:
    """Efron's 95 % percentile interval: patients drawn again, seeded; None where it has none.

    Not by scipy's bootstrap, which gives up where one draw has no figure, such as all masks poor.
    """
    chance = np.random.default_rng(1)
    picks = chance.integers(len(sure), size=(DRAWS, len(sure)))
    drawn = np.array([figure(sure[pick], scores[pick]) for pick in picks])
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return None
    return [round(float(end), 4) for end in np.quantile(drawn, (0.025, 0.975))]


RATE = 0.9  # of the scans whose drawn volume should lie in the range
SAMPLES = 20_000  # voxels of each patient that calibrate the probabilities
BASES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
FEWEST = 4


@dataclass(frozen=True)
class Analyzed:
    """A patient analyzed out of fold. probability: as the network gave it; head: where to look;
    drawn: a person's mask; all of the same shape. fewest: voxels of a piece that is kept; core:
    what a piece must hold some of, None where it need not."""

    fold: int
    probability: FloatArray
    head: Mask
    drawn: Mask
    fewest: float = 1.0
    core: Mask | None = None

    def marked(self, probability: FloatArray, level: float) -> Mask:
        """The mask that follows from a probability at each voxel."""
        mask = without_specks(probability >= level, self.fewest)
        return mask if self.core is None else around(mask, self.core)


def analyzed(case: Case, network: Network, fold: int) -> Analyzed:
    """A case by the network that did not learn from it. Raises UnreadableScan."""
    volume = read_nifti(case.flair)
    prepared = prepare(volume, network.preparation)
    return Analyzed(
        fold=fold,
        probability=from_window(network.probabilities(prepared, best=False), prepared.grid),
        head=volume.levels.head(volume.voxels),
        drawn=read_nifti(case.mask).voxels > 0,
        fewest=fewest_voxels(volume, Rules().smallest_mm3),
    )


def fit(patients: Sequence[Analyzed], threshold: float, cut: float | None = None) -> Certainty:
    """All numbers from these patients. Raises DatasetError when too few have a mask.

    cut: the network's logit from which on masks fit best, where that is not 0.
    """
    slope = _slope(patients, shifted=cut is not None)
    plain = Certainty(
        slope=slope,
        confidence_slope=1.0,
        confidence_offset=0.0,
        low=0.0,
        high=0.0,
        base=0.0,
        widest=0.0,
        rate=RATE,
        threshold=threshold,
        offset=-slope * (cut or 0.0),
    )
    rows = np.array([row for p in patients if (row := _row(p, plain, threshold)) is not None])
    if len(rows) < FEWEST:
        raise DatasetError(f"Certainty needs {FEWEST} patients in whom tumor was drawn and found.")
    promised, width, reached, error = rows.T
    line = np.polyfit(promised, reached, 1)
    base = min(BASES, key=lambda b: _mean_length(error, width + b))
    low, high = _quantiles(error / (width + base))
    rate = min(RATE, (len(rows) - 1) / (len(rows) + 1))  # few patients cannot promise more
    widest = width.max() + base
    numbers = (slope, *line, low, high, base, widest, rate, threshold, plain.offset)
    return Certainty(*(round(float(number), 5) for number in numbers))


def check(patients: Sequence[Analyzed], threshold: float) -> list[Checked]:
    """Each fold by the numbers that were fitted on all others, in the order of `patients`."""
    fitted = {
        fold: fit([p for p in patients if p.fold != fold], threshold)
        for fold in {p.fold for p in patients}
    }
    return [compare(patient, fitted[patient.fold], threshold) for patient in patients]


def compare(patient: Analyzed, certainty: Certainty, threshold: float) -> Checked:
    """What the numbers say of a patient, beside the truth."""
    probability, mask = _mask(patient, certainty, threshold)
    trust = certainty.trust(mask.astype(np.uint8), probability)
    score = dice(mask, patient.drawn)
    return checked_by(score, trust, int(patient.drawn.sum()), int(mask.sum()))


def _mask(patient: Analyzed, certainty: Certainty, threshold: float) -> tuple[FloatArray, Mask]:
    """Calibrated probabilities and the mask that a report would show."""
    probability = certainty.calibrated(patient.probability)
    return probability, patient.marked(probability, threshold)


def _slope(patients: Sequence[Analyzed], shifted: bool) -> float:
    """The slope of the logits that makes the drawn voxels most likely; shifted: with an offset of
    their own (Platt 1999)."""
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

    def loss(slope: float, offset: float = 0.0) -> float:
        logit = slope * x + offset
        return float(np.mean(np.logaddexp(0, logit) - y * logit))

    def both(numbers: Numbers) -> float:
        return loss(*numbers)

    if shifted:
        return float(optimize.minimize(both, np.array((1.0, 0.0)), method="Nelder-Mead").x[0])
    return float(optimize.minimize_scalar(loss, bounds=(0.01, 10), method="bounded").x)


def _row(
    patient: Analyzed, certainty: Certainty, threshold: float
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
