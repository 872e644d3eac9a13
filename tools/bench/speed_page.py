"""`python -m tools.bench.speed_page SPEED.json docs/speed.md`: the figures of `bench` on a page."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from model.errors import GliowatchError

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
COLOURS = {True: "#0072b2", False: "#d55e00"}  # told apart by colour-blind readers
HATCHES = {True: "", False: "//"}  # and without any colour
BUSY = " **Other programs were running: what the clock says here is worth little.**"
BOUNDS = (("at least", "at_least"), ("at most", "at_most"))
WORDS = {True: "met", False: "**missed**"}


class NoPlaceForFigures(GliowatchError):
    """The page lacks the two lines between which figures stand."""


def main(
    figures: Annotated[Path, typer.Argument(exists=True, help="what bench --json wrote")],
    page: Annotated[Path, typer.Argument(exists=True, help="the page; its plot goes beside it")],
) -> None:
    """Write table and plot of one run of `gliowatch bench --json` into the page."""
    content = json.loads(figures.read_text("utf-8"))
    before, begin, rest = page.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoPlaceForFigures(f"{page} has no lines {BEGIN} and {END}.")
    table = "\n".join(lines_of(content))
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", "utf-8")
    save_plot(content, page.with_suffix(".png"))


def lines_of(content: dict[str, Any]) -> list[str]:
    """The run in words, a table of what is wanted and reached, and one of every row."""
    machine = ", ".join(f"{name} {value}" for name, value in content["machine"].items())
    busy = BUSY if content["machine"]["load"] > content["machine"]["threads"] / 2 else ""
    lines = [
        f"One run on: {machine}.{busy}",
        "",
        "| what | reached | wanted | |",
        "|---|---|---|---|",
    ]
    for name, part in _parts(content):
        lines += [_ratio_line(name, ratio) for ratio in part["ratios"]]
    if "batch" in content:
        lines += ["", _batch_words(content["batch"])]
    lines += ["", "| what | ms | middle half | rounds |", "|---|---|---|---|"]
    for name, part in _parts(content):
        lines += [_row_line(name, row) for row in part["rows"]]
    return lines


def save_plot(content: dict[str, Any], path: Path) -> None:
    """A bar for each target: the share of it that was reached, or used up of what is allowed."""
    found = [
        (f"{ratio['what']} ({name})", ratio)
        for name, part in _parts(content)
        for ratio in part["ratios"]
        if "met" in ratio
    ]
    figure = Figure(figsize=(9, 0.6 + 0.28 * len(found)), layout="constrained")
    axes = figure.add_subplot()
    for place, (_, ratio) in enumerate(found):
        share, met = how_near(ratio), ratio["met"]
        axes.barh(place, share, color=COLOURS[met], hatch=HATCHES[met], edgecolor="white")
        word = "met" if met else "missed"
        axes.annotate(f" {share:.2f} {word}", (share, place), va="center", fontsize=7)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(found)), [label for label, _ in found], fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", labelsize=7)
    axes.margins(x=0.15)
    axes.set_xlabel("times as good as wanted: from 1 on the target is met", fontsize=8)
    figure.savefig(path, dpi=110)


def how_near(ratio: dict[str, Any]) -> float:
    """How many times as good as its target a figure is: 1 = just met, more is better."""
    if "at_least" in ratio:
        return float(ratio["value"] / ratio["at_least"])
    return float(ratio["at_most"] / max(ratio["value"], 1e-9))


def _parts(content: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Each part of the run, by a short name."""
    parts = [(f"{scan['slices']} slices", scan) for scan in content["scans"]]
    parts += [(name, content[name]) for name in ("batch", "training") if name in content]
    return parts


def _ratio_line(name: str, ratio: dict[str, Any]) -> str:
    wanted = next((f"{w} {ratio[k]}" for w, k in BOUNDS if k in ratio), "")
    met = WORDS[ratio["met"]] if "met" in ratio else ""
    return f"| {name}: {ratio['what']} | {ratio['value']} | {wanted} | {met} |"


def _row_line(name: str, row: dict[str, Any]) -> str:
    low, high = 1000 * row["low"], 1000 * row["high"]
    return (
        f"| {name}: {row['name']} | {1000 * row['median']:.1f} | {low:.1f} to {high:.1f} |"
        f" {row['rounds']} |"
    )


def _batch_words(batch: dict[str, Any]) -> str:
    spent = ", ".join(f"{name} {value}" for name, value in batch["processor_seconds"].items())
    return (
        f"The batch: {batch['scans']} copies of a scan ({batch['scan']}) in {batch['seconds']} s,"
        f" that is {batch['scans_per_hour']} an hour with all files; the model alone takes"
        f" {batch['model_seconds']} s a scan. Processor seconds a scan: {spent}; of them"
        f" {batch['apart_processor_seconds']} for what has targets of its own. The processors"
        f" were busy {100 * batch['processors_busy']:.0f} % of the time."
    )


if __name__ == "__main__":
    typer.run(main)
