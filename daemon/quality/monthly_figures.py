"""How scans fared month by month and scanner by scanner, and what is unlike before or elsewhere.

A scan counts once: in the month, by the local clock, in which it was first published, with what
that first result said of it and with what people have said of the network's masks of it since.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from daemon.index.database import Database
from daemon.index.statistics import (
    FigureCount,
    busiest_scanners,
    figures_by_month,
    figures_by_scanner,
)
from daemon.quality.usual_bands import (
    MONTHS_BEFORE,
    Figure,
    Share,
    median_of_month,
    median_of_scanner,
    quantile,
    share_of_month,
    share_of_scanner,
)

MONTHS_SHOWN = 24
MOST_SCANNERS = 12  # that are told, the busiest of the last twelve months
FIGURES = ("not_analyzed", "flagged", "tumor", "confidence", "accepted")


@dataclass(frozen=True)
class Figures:
    """Of a month (YYYY-MM) or a scanner. not_analyzed: a share of all scans; flagged, for a person,
    and tumor: of those analyzed; confidence: the median of those with tumor; accepted: of the
    network's masks that were reviewed. dice: the median of corrected masks with the network's."""

    name: str
    scans: int
    not_analyzed: Figure
    flagged: Figure
    tumor: Figure
    confidence: Figure
    accepted: Figure
    corrected: int
    rejected: int
    needs_correction: int
    dice: float | None

    def figure(self, name: str) -> Figure:
        """One of FIGURES."""
        found: Figure = getattr(self, name)
        return found

    @property
    def outside(self) -> list[str]:
        """Those of FIGURES that lie outside of what is usual."""
        return [name for name in FIGURES if self.figure(name).is_outside]


@dataclass(frozen=True)
class OfScanner:
    """The last twelve months beside those of all other scanners, but for `tumor`, since each
    scanner has patients of its own; and its newest month beside its own before it."""

    year: Figures
    newest: Figures


@dataclass(frozen=True)
class MonthlyFigures:
    """months: those with scans of the last two years, newest first; scanners: busiest first."""

    months: tuple[Figures, ...]
    scanners: tuple[OfScanner, ...]


class _Tally:
    """Scans of a month or scanner, by figure and value."""

    def __init__(self, counted: Iterable[FigureCount] = ()) -> None:
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        for each in counted:
            self.counts[each.figure][each.value] += each.scans

    def without(self, other: "_Tally") -> "_Tally":
        """What is left once others are taken out."""
        left = _Tally()
        for figure, counts in self.counts.items():
            left.counts[figure] = counts - other.counts[figure]
        return left

    @cached_property
    def confidence(self) -> dict[int, int]:
        """How many there are of each value in per cent."""
        return _numbers(self.counts["confidence"])

    def share(self, name: str) -> Share:
        """Of FIGURES one that is a share."""
        finding, decision = self.counts["finding"], self.counts["decision"]
        scans, left_out = finding.total(), finding["not_judged"]
        return {
            "not_analyzed": Share(left_out, scans),
            "flagged": Share(self.counts["flagged"]["1"], scans - left_out),
            "tumor": Share(finding["tumor"], scans - left_out),
            "accepted": Share(decision["accepted"], decision.total()),
        }[name]


def _numbers(counts: Counter[str]) -> dict[int, int]:
    """How many there are of each value in per cent."""
    return {int(value): count for value, count in counts.items() if count}


async def monthly_figures(index: Database, now: datetime) -> MonthlyFigures:
    """All of it. now: local time; its month is not over and is judged by what there is so far."""
    this = f"{now:%Y-%m}"
    year = month_before(this, MONTHS_BEFORE - 1)
    every = await figures_by_month(index, _first_needed(this))
    names = await busiest_scanners(index, year, MOST_SCANNERS)
    own: dict[str, list[FigureCount]] = {name: [] for name in names}
    for each in await figures_by_scanner(index, month_before(this, MONTHS_BEFORE), names):
        own[each.scanner].append(each)
    recent = _Tally(each for each in every if each.month >= year)
    scanners = [_of_scanner(name, own[name], recent, year) for name in names if own[name]]
    return MonthlyFigures(_months(every, this), tuple(scanners))


async def months_of_scanner(index: Database, now: datetime, scanner: str) -> tuple[Figures, ...]:
    """The months of one scanner alone, each beside its own before it, newest first."""
    this = f"{now:%Y-%m}"
    return _months(await figures_by_month(index, _first_needed(this), scanner), this)


def month_before(month: str, count: int = 1) -> str:
    """So many months before a month, both YYYY-MM."""
    whole = 12 * int(month[:4]) + int(month[5:]) - 1 - count
    return f"{whole // 12:04}-{whole % 12 + 1:02}"


def _first_needed(this: str) -> str:
    return month_before(this, MONTHS_SHOWN + MONTHS_BEFORE - 1)


def _months(counted: Iterable[FigureCount], this: str) -> tuple[Figures, ...]:
    tallies, first = _by_month(counted), month_before(this, MONTHS_SHOWN - 1)
    shown = [month for month in reversed(tallies) if first <= month <= this]
    return tuple(_month(month, tallies) for month in shown)


def _by_month(counted: Iterable[FigureCount]) -> dict[str, _Tally]:
    """Oldest first, those with scans."""
    months: dict[str, list[FigureCount]] = defaultdict(list)
    for each in counted:
        months[each.month].append(each)
    return {month: _Tally(months[month]) for month in sorted(months)}


def _month(month: str, tallies: dict[str, _Tally]) -> Figures:
    """Beside those of the twelve months before it."""
    first = month_before(month, MONTHS_BEFORE)
    before = [its for name, its in tallies.items() if first <= name < month]
    own = tallies[month]
    shares = {
        figure: share_of_month(own.share(figure), [each.share(figure) for each in before])
        for figure in FIGURES
        if figure != "confidence"
    }
    confidence = median_of_month(own.confidence, [each.confidence for each in before])
    return _whole(month, own, shares, confidence)


def _of_scanner(name: str, own: list[FigureCount], every: _Tally, year: str) -> OfScanner:
    months, mine = _by_month(own), _Tally(each for each in own if each.month >= year)
    return OfScanner(_beside(name, mine, every.without(mine)), _month(max(months), months))


def _beside(name: str, own: _Tally, others: _Tally) -> Figures:
    shares = {
        figure: share_of_scanner(own.share(figure), others.share(figure))
        for figure in FIGURES
        if figure not in ("confidence", "tumor")
    }
    tumor = own.share("tumor")
    shares["tumor"] = Figure(tumor.value if tumor.of else None, tumor.of)
    confidence = median_of_scanner(own.confidence, others.confidence)
    return _whole(name, own, shares, confidence)


def _whole(name: str, own: _Tally, shares: dict[str, Figure], confidence: Figure) -> Figures:
    decision = own.counts["decision"]
    return Figures(
        name=name,
        scans=own.counts["finding"].total(),
        confidence=confidence,
        corrected=decision["corrected"],
        rejected=decision["rejected"],
        needs_correction=decision["needs_correction"],
        dice=quantile(_numbers(own.counts["dice"]), 0.5),
        **shares,
    )
