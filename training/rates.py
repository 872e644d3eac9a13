"""How well the range of the volume and the confidence held, over many patients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from model.certainty import Trust
from model.judging import LOW_CONFIDENCE

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
