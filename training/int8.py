"""`python -m training.int8`: would the network judge as well, and how much faster, with int8?

Patients that the network learned from calibrate, and choose a way; others judge the way chosen.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from model.errors import GliowatchError
from model.loading import load_network
from training.cases import choose_cases, find_cases
from training.int8_slices import part
from training.int8_verdict import SINGLE, Verdict
from training.int8_ways import check_installed, ways_named
from training.int8_weighing import Cases, weigh
from training.terminal import progress_bar

SEED = 7  # of the parting of patients


def show(
    data: Annotated[Path, typer.Option(exists=True, help="<id>/<id>_flair.nii.gz and _seg")],
    split: Annotated[Path, typer.Option(exists=True, help="JSON with lists of patients")],
    weights: Annotated[Path | None, typer.Option(exists=True, help="else those shipped")] = None,
    learned: Annotated[str, typer.Option(help="list that the weights learned from")] = "train",
    subset: Annotated[str, typer.Option(help="list that judges")] = "validation",
    elsewhere: Annotated[
        Path | None, typer.Option(exists=True, help="all cases of this folder judge instead")
    ] = None,
    way: Annotated[str, typer.Option(help="this one alone, by its name in the table")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="write all figures")] = None,
) -> None:
    """Tables (Markdown) of the ways and of the patients that judge the best one; the verdict."""
    try:
        check_installed()
        cases = _cases(data, split, learned, subset, elsewhere)
        network = load_network(weights, device="cpu")
        with progress_bar(Console(stderr=True)) as bar:
            task = bar.add_task("int8", total=None, note="")
            content = weigh(cases, network, ways_named(way), lambda: bar.advance(task))
    except GliowatchError as error:
        typer.echo(f"training.int8: {error}", err=True)
        raise typer.Exit(2) from None
    for line in lines(content):
        typer.echo(line)
    if json_file:
        json_file.write_text(json.dumps(content, indent=1) + "\n")


def _cases(data: Path, split: Path, learned: str, subset: str, elsewhere: Path | None) -> Cases:
    """Who calibrates, chooses and judges. Raises DatasetError when a list does not fit."""
    cases = find_cases(data)
    known = {case.patient: case for case in choose_cases(cases, split, learned)}
    if elsewhere:
        judging = list(find_cases(elsewhere).values())
    else:
        judging = choose_cases(cases, split, subset)
    parts = part(tuple(known), [case.patient for case in judging], SEED)
    calibrating, choosing = ([known[name] for name in each] for each in parts)
    return Cases(calibrating, choosing, judging)


def lines(content: dict[str, Any]) -> Iterator[str]:
    """Speed and choice by way, then Dice by patient, then the verdict in words."""
    counts, judged = content["patients"], content["judged"]
    yield "| way | ms, median (middle half) | times as fast | Dice minus that of fp32 |"
    yield "|---|---|---|---|"
    for row in content["timings"]:
        low, middle, high = (f"{1000 * row[name]:.0f}" for name in ("low", "median", "high"))
        way = content["ways"].get(row["name"])
        gain = f"{way['speedup']:.2f} | {-way['lost']:+.4f}" if way else "1 | 0"
        yield f"| {row['name']} | {middle} ({low} to {high}) | {gain} |"
    yield f"Dice of {counts['choosing']} patients that were learned from. Load {content['load']}."
    yield f"Chosen: {content['chosen']}, judged by {counts['judging']} patients:"
    yield "| patient | fp32 | int8 | difference |"
    yield "|---|---|---|---|"
    for case in judged["cases"]:
        small, single = case["int8"], case[SINGLE]
        yield f"| {case['patient']} | {single:.4f} | {small:.4f} | {small - single:+.4f} |"
    for name in (SINGLE, "int8", "int8 minus fp32"):
        yield f"{name}: " + ", ".join(f"{key} {value}" for key, value in judged[name].items())
    verdict = content["verdict"]
    yield Verdict(verdict["lost"], verdict["speedup"]).words()


if __name__ == "__main__":
    typer.run(show)
