"""Between which limits a figure is usual, and whether one lies outside: control charts.

A month is held against the twelve before it. A share: the limits of the two-sample score test,
solved for the new share (Krishnamoorthy and Peng, J Stat Plan Inference 2011; 141: 1709), which
also count how few scans the usual share comes from; three standard deviations, as Shewhart's p
chart has, times how much more earlier months varied than chance explains (Laney, Quality
Engineering 2002; 14: 531). A median: the median of the earlier ones, three times their scaled
median absolute deviation to either side (Leys et al., J Exp Soc Psychol 2013; 49: 764), or three
standard errors of a median where that is more.

Nothing is judged below FEWEST_SCANS, or by fewer than FEWEST_MONTHS months of so many, and a share
only where FEWEST_CASES cases and as many of the other kind are seen or to be expected. Of figures
that differ by chance alone one in a hundred at most is marked: the tests simulate it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

MONTHS_BEFORE, FEWEST_MONTHS = 12, 6
FEWEST_SCANS = 20  # of a month, or of a scanner, of those that the figure is about
FEWEST_OTHERS = 120  # scans of other scanners with which one is compared
FEWEST_CASES = 5  # as the p chart asks for: below, its limits are none of a normal distribution
SMALLEST_DIFFERENCE = 0.05  # of a scanner from others: of thousands of scans, less is no chance
SIGMAS = 3.0
RANGE_PER_SIGMA = 1.128  # mean range of two values of a normal distribution
MAD_TO_SIGMA, QUARTILES_PER_SIGMA = 1.4826, 1.349
MEDIAN_PER_MEAN = 1.2533  # standard error of a median beside that of a mean
STEP = 0.01  # in which medians are kept


@dataclass(frozen=True)
class Share:
    """How many of how many."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """From 0 to 1."""
        return self.count / self.of


@dataclass(frozen=True)
class Figure:
    """A share, or a median, from 0 to 1; None of no scan. of: scans that it is about.

    usual: the limits; None where too little is known. is_outside: it lies beyond them.
    """

    value: float | None
    of: int
    usual: tuple[float, float] | None = None
    is_outside: bool = False


def share_of_month(own: Share, before: Sequence[Share]) -> Figure:
    """A month's share beside those of the months before it, oldest first."""
    enough = [each for each in before[-MONTHS_BEFORE:] if each.of >= FEWEST_SCANS]
    if own.of < FEWEST_SCANS or len(enough) < FEWEST_MONTHS:
        return _plain(own)
    past = together(enough)
    low, high = _limits(past, own.of, SIGMAS * _variation(enough, past.value))
    return _judged(own, past, low, high)


def share_of_scanner(own: Share, others: Share) -> Figure:
    """A scanner's share beside that of all others in the same time."""
    if own.of < FEWEST_SCANS or others.of < FEWEST_OTHERS:
        return _plain(own)
    low, high = _limits(others, own.of, SIGMAS)
    low, high = _at_least(others.value, low, high)
    return _judged(own, others, low, high)


def median_of_month(own: Mapping[int, int], before: Sequence[Mapping[int, int]]) -> Figure:
    """A month's median beside those of the months before it; of values in per cent, counted."""
    enough = [each for each in before[-MONTHS_BEFORE:] if sum(each.values()) >= FEWEST_SCANS]
    if sum(own.values()) < FEWEST_SCANS or len(enough) < FEWEST_MONTHS:
        return Figure(quantile(own, 0.5), sum(own.values()))
    medians = [quantile(each, 0.5) or 0.0 for each in enough]
    middle = median(medians)
    deviation = MAD_TO_SIGMA * median(abs(each - middle) for each in medians)
    reach = SIGMAS * max(deviation, _error_of_median(own, added(enough)))
    return _judged_median(own, middle, max(reach, STEP))


def median_of_scanner(own: Mapping[int, int], others: Mapping[int, int]) -> Figure:
    """A scanner's median beside that of all others in the same time."""
    middle = quantile(others, 0.5)
    few = sum(own.values()) < FEWEST_SCANS or sum(others.values()) < FEWEST_OTHERS
    if few or middle is None:
        return Figure(quantile(own, 0.5), sum(own.values()))
    reach = SIGMAS * _error_of_median(own, others)
    return _judged_median(own, middle, max(reach, SMALLEST_DIFFERENCE))


def together(shares: Sequence[Share]) -> Share:
    """All of them as one."""
    return Share(sum(each.count for each in shares), sum(each.of for each in shares))


def added(counts: Sequence[Mapping[int, int]]) -> dict[int, int]:
    """How many there are of each value in all of them."""
    values = {value for each in counts for value in each}
    return {value: sum(each.get(value, 0) for each in counts) for value in values}


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """The nearest rank of values in per cent, from 0 to 1; None without any."""
    rank, passed = math.ceil(share * sum(counts.values())), 0
    for value in sorted(counts):
        passed += counts[value]
        if passed >= max(1, rank):
            return value / 100
    return None


def _plain(own: Share) -> Figure:
    return Figure(own.value if own.of else None, own.of)


def _limits(past: Share, of: int, sigmas: float) -> tuple[float, float]:
    """Between which a new share lies that differs by less than so many standard deviations.

    With the share d above the old one, (d / sigmas)^2 <= p (1 - p) (1 / of + 1 / past.of), where p
    is the share of both together: a quadratic inequality in d.
    """
    old, weight = past.value, of / (of + past.of)
    reach = sigmas**2 * (1 / of + 1 / past.of)
    square = 1 + reach * weight**2
    middle = reach * weight * (1 - 2 * old) / (2 * square)
    half = math.sqrt(middle**2 + reach * old * (1 - old) / square)
    return max(0.0, old + middle - half), min(1.0, old + middle + half)


def _variation(months: Sequence[Share], mean: float) -> float:
    """How many times more than chance explains these months vary from one to the next; 1 at least.

    Of steps and not of distances from the mean, so that a month that was unlike the others, or a
    change that stayed, adds little.
    """
    if not 0 < mean < 1:
        return 1.0
    apart = [(each.value - mean) * math.sqrt(each.of / (mean * (1 - mean))) for each in months]
    return max(1.0, fmean(abs(b - a) for a, b in pairwise(apart)) / RANGE_PER_SIGMA)


def _judged(own: Share, past: Share, low: float, high: float) -> Figure:
    seen, usual = own.value * own.of, past.value * own.of
    is_high = own.value > high and min(seen, own.of - usual) >= FEWEST_CASES
    is_low = own.value < low and min(own.of - seen, usual) >= FEWEST_CASES
    return Figure(own.value, own.of, (low, high), is_high or is_low)


def _judged_median(own: Mapping[int, int], middle: float, reach: float) -> Figure:
    """Limits that are medians themselves: rounded outwards to whole per cent."""
    value = quantile(own, 0.5)
    low = max(0, math.floor(round((middle - reach) / STEP, 6))) * STEP
    high = min(100, math.ceil(round((middle + reach) / STEP, 6))) * STEP
    is_outside = value is not None and not low - STEP / 2 < value < high + STEP / 2
    return Figure(value, sum(own.values()), (round(low, 2), round(high, 2)), is_outside)


def _at_least(middle: float, low: float, high: float) -> tuple[float, float]:
    """Limits that are no nearer than a difference worth telling."""
    return (
        max(0.0, min(low, middle - SMALLEST_DIFFERENCE)),
        min(1.0, max(high, middle + SMALLEST_DIFFERENCE)),
    )


def _error_of_median(own: Mapping[int, int], past: Mapping[int, int]) -> float:
    """Of the difference of two medians; the spread from the quartiles of the past."""
    quartiles = (quantile(past, 0.75) or 0.0) - (quantile(past, 0.25) or 0.0)
    sigma = max(STEP, quartiles / QUARTILES_PER_SIGMA)
    return MEDIAN_PER_MEAN * sigma * math.sqrt(1 / sum(own.values()) + 1 / sum(past.values()))
