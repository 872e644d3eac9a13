"""Two ways to measure the same, compared after Bland and Altman (Lancet 1986), as a picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SPREAD = 1.96  # standard deviations on each side of the mean hold 95 % of normal differences
COLOUR = "#0072b2"  # seen by colour-blind readers; in print the line styles tell them apart
LEFT_OUT = 0.18  # of the width is left free at both sides, for the names


@dataclass(frozen=True)
class Pairs:
    """The same quantity of several scans, by us and by the drawn mask; `name` with its unit."""

    name: str
    scans: tuple[str, ...]
    ours: tuple[float, ...]
    drawn: tuple[float, ...]

    @property
    def differences(self) -> list[float]:
        """Ours minus drawn."""
        return [a - b for a, b in zip(self.ours, self.drawn, strict=True)]

    @property
    def bias(self) -> float:
        """Mean difference."""
        return float(np.mean(self.differences))

    @property
    def limits(self) -> tuple[float, float] | None:
        """95 % limits of agreement: the bias -+ 1.96 standard deviations; None for one scan."""
        if len(self.ours) < 2:
            return None
        reach = SPREAD * float(np.std(self.differences, ddof=1))
        return self.bias - reach, self.bias + reach


def save_bland_altman(quantities: list[Pairs], path: Path) -> None:
    """Write a PNG with one plot a quantity: the difference over the mean of both."""
    figure = Figure(figsize=(4.6 * len(quantities), 4), layout="constrained")
    for number, pairs in enumerate(quantities, start=1):
        _draw(figure.add_subplot(1, len(quantities), number), pairs)
    count = len(quantities[0].scans) if quantities else 0
    figure.suptitle(f"gliowatch against drawn masks, {count} scans", fontsize=10)
    figure.savefig(path, dpi=130)


def _draw(axes: Axes, pairs: Pairs) -> None:
    means = [(a + b) / 2 for a, b in zip(pairs.ours, pairs.drawn, strict=True)]
    axes.plot(means, pairs.differences, "o", color="black", markersize=5)
    for scan, mean, difference in zip(pairs.scans, means, pairs.differences, strict=True):
        axes.annotate(
            scan, (mean, difference), (0, 6), textcoords="offset points", fontsize=6, ha="center"
        )
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.axhline(pairs.bias, color=COLOUR, label=f"mean {pairs.bias:+.1f}")
    if pairs.limits:
        low, high = pairs.limits
        label = f"95 % limits {low:+.1f}, {high:+.1f}"
        for limit, name in ((low, label), (high, None)):
            axes.axhline(limit, color=COLOUR, linestyle="--", label=name)
    axes.margins(x=LEFT_OUT, y=LEFT_OUT)
    axes.set(xlabel=f"mean of both: {pairs.name}", ylabel="ours minus drawn", title=pairs.name)
    axes.legend(fontsize=7)
