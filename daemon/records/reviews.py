"""What people think of masks: who drew one, what was decided, their agreement with the network."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean, median, stdev

from daemon.index.database import Database
from daemon.index.people.reviews import PERSON, CorrectedMask, Count, Decision, last_decision
from daemon.report import Report
from daemon.scan_history import judged_revision


def is_corrected(report: Report) -> bool:
    """Whether a person drew the mask that this report tells of."""
    return report.mask is not None


def drawn_by(report: Report) -> str:
    """Who drew the mask, as a review notes it."""
    return PERSON if is_corrected(report) else report.model.weights_sha256


async def decision_on(records: Database, report: Report) -> Decision | None:
    """What was decided last on the mask of a report; None if nobody has looked at it.

    A corrected mask counts as accepted by who drew it, until somebody says otherwise.
    """
    said = await last_decision(records, report.scan_id, judged_revision(report))
    return Decision.ACCEPTED if said is None and is_corrected(report) else said


FEW = 10  # reviews, or corrected masks, below which no share or limit is told
LIMITS = 1.96  # standard deviations to either side hold 95 % of a normal distribution


@dataclass(frozen=True)
class Tally:
    """What became of the network's masks in one month, or of one network; median Dice of the
    corrected ones alone, None without any: an accepted mask agrees by definition."""

    name: str
    accepted: int
    rejected: int
    needs_correction: int
    corrected: int
    dice: float | None

    @property
    def reviewed(self) -> int:
        """Masks on which somebody has said anything."""
        return self.accepted + self.rejected + self.needs_correction + self.corrected


@dataclass(frozen=True)
class Difference:
    """The network's volume less the person's, in ml: mean, and the limits between which 95 % of
    such differences lie (Bland and Altman, Lancet 1986; 327: 307); None where they are few."""

    count: int
    mean: float
    limits: tuple[float, float] | None


def by_month(words: list[Count], corrected: list[CorrectedMask]) -> list[Tally]:
    """A tally a month in which anything was said, latest first."""
    return _tallies(words, corrected, lambda word: word.month, lambda mask: mask.at[:7])[::-1]


def by_network(words: list[Count], corrected: list[CorrectedMask]) -> list[Tally]:
    """A tally for each network, by the SHA-256 of its weights; '' where that was not noted."""
    return _tallies(words, corrected, lambda word: word.weights, lambda mask: mask.weights)


def overall(words: list[Count], corrected: list[CorrectedMask]) -> Tally:
    """All of it in one tally."""
    return _tally("", words, corrected)


def difference_of(corrected: Iterable[CorrectedMask]) -> Difference | None:
    """How far the volumes of corrected masks differ; None without any that has a volume."""
    ml = [
        mask.model_ml - mask.corrected_ml
        for mask in corrected
        if mask.model_ml is not None and mask.corrected_ml is not None
    ]
    if not ml:
        return None
    mean = fmean(ml)
    if len(ml) < FEW:
        return Difference(len(ml), mean, None)
    reach = LIMITS * stdev(ml)
    return Difference(len(ml), mean, (mean - reach, mean + reach))


def worst(corrected: Iterable[CorrectedMask], count: int) -> list[CorrectedMask]:
    """The corrected masks that the network's agreed with least."""
    return sorted(corrected, key=lambda mask: (mask.dice, mask.at))[:count]


def _tallies(
    words: list[Count],
    corrected: list[CorrectedMask],
    of_word: Callable[[Count], str],
    of_mask: Callable[[CorrectedMask], str],
) -> list[Tally]:
    groups: dict[str, tuple[list[Count], list[CorrectedMask]]] = defaultdict(lambda: ([], []))
    for word in words:
        groups[of_word(word)][0].append(word)
    for mask in corrected:
        groups[of_mask(mask)][1].append(mask)
    return [_tally(name, *groups[name]) for name in sorted(groups)]


def _tally(name: str, words: list[Count], corrected: list[CorrectedMask]) -> Tally:
    counts = {
        decision: sum(word.count for word in words if word.decision is decision)
        for decision in Decision
    }
    return Tally(
        name=name,
        accepted=counts[Decision.ACCEPTED],
        rejected=counts[Decision.REJECTED],
        needs_correction=counts[Decision.NEEDS_CORRECTION],
        corrected=len(corrected),
        dice=median(mask.dice for mask in corrected) if corrected else None,
    )
