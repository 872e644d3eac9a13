"""`python -m tools.experiments.drawn_agreement`: our findings beside those of drawn masks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.inference.analysis import analyze
from model.inference.segmentation import Rules
from model.measurement.findings import Findings
from model.measurement.given_masks import measure_mask
from model.network.network import Network, load_network
from model.reading.read import read, scan_at
from training.datasets import find_cases

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


HEAD = ("scan", "volume (ml)", "side", "diameters (mm)", "3D (mm)", "front to back, height")


@dataclass(frozen=True)
class Row:
    """One scan: what we found on our own mask, and what the drawn mask says, if there is one."""

    scan: str
    ours: Findings
    drawn: Findings | None


def show(
    scans: Annotated[
        list[Path] | None, typer.Argument(exists=True, help="scans without a drawn mask")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(exists=True, help="<id>/<id>_flair.nii.gz with _seg.nii.gz")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", help="Bland-Altman picture, PNG")] = None,
) -> None:
    """A table (Markdown): volume of all lesions; side, diameters and place of the largest."""
    network = load_network(None)
    rows = [
        row_of(case.patient, case.flair, case.mask, network)
        for case in (find_cases(data).values() if data else ())
    ]
    rows += [row_of(scan.name, scan, None, network) for scan in scans or ()]
    for cells in (HEAD, ("---",) * len(HEAD), *(table_row(row) for row in rows)):
        typer.echo(f"| {' | '.join(cells)} |")
    quantities = compared(rows)
    for pairs in quantities:
        limits = pairs.limits
        words = f", 95 % limits {limits[0]:+.1f} to {limits[1]:+.1f}" if limits else ""
        typer.echo(f"{pairs.name}: ours minus drawn {pairs.bias:+.1f} in the mean{words}")
    if out:
        save_bland_altman(quantities, out)


def row_of(name: str, scan: Path, mask: Path | None, network: Network) -> Row:
    """Analyze a scan as a report would, with the default rules, and measure its mask if any."""
    volume = read(scan_at(scan))
    ours = analyze(volume, network, Rules(), None).findings
    return Row(name, ours, None if mask is None else measure_mask(mask, volume).findings)


def table_row(row: Row) -> tuple[str, ...]:
    """The cells of a row, ours before the mask's: "ours / drawn"."""
    both = [row.ours] if row.drawn is None else [row.ours, row.drawn]
    columns = zip(*(_cells(findings) for findings in both), strict=True)
    return (row.scan, *(" / ".join(pair) for pair in columns))


def _cells(findings: Findings) -> tuple[str, ...]:
    if not findings.lesions:
        return (f"{findings.volume_ml:.1f}", *("-",) * 4)
    lesion = findings.lesions[0]
    lines, place = lesion.diameters, lesion.place
    return (
        f"{findings.volume_ml:.1f}",
        str(lesion.side)
        + (f", {place.across_midline_mm:.0f} across" if place.crosses_midline else ""),
        f"{lines.longest.length:.1f} x {lines.perpendicular.length:.1f}",
        f"{lesion.max_diameter_3d:.1f}",
        f"{place.to_front}, {place.to_top}",
    )


def compared(rows: list[Row]) -> list[Pairs]:
    """Volume and the largest lesion's longest diameter of all scans with lesions on both sides."""
    both = [(row.scan, row.ours, row.drawn) for row in rows if row.drawn and row.drawn.lesions]
    both = [each for each in both if each[1].lesions]
    if not both:
        return []
    scans, ours, drawn = zip(*both, strict=True)
    return [
        Pairs("volume (ml)", scans, _volumes(ours), _volumes(drawn)),
        Pairs("longest diameter (mm)", scans, _lengths(ours), _lengths(drawn)),
    ]


def _volumes(all_findings: tuple[Findings, ...]) -> tuple[float, ...]:
    return tuple(findings.volume_ml for findings in all_findings)


def _lengths(all_findings: tuple[Findings, ...]) -> tuple[float, ...]:
    return tuple(findings.lesions[0].diameters.longest.length for findings in all_findings)


if __name__ == "__main__":
    typer.run(show)
