"""`python -m training.outcomes`: how the scans of every kind end with some weights.

Each is analyzed as `gliowatch segment` does it, the input check included. Heads with a drawn tumor,
heads without one, what is no FLAIR, and pictures: each kind asks for another answer. The sets
`external`, `public_test` and `pictures` are looked at here alone; they choose nothing.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from model.errors import GliowatchError, UnreadableScan
from model.geometry import dice
from model.inference.analysis import analyze
from model.inference.input_check import InputCheck, load_input_check
from model.inference.segmentation import Rules
from model.measurement.findings import Finding
from model.network.network import Network, load_network
from model.reading.read import read, scan_at
from training.datasets import DatasetError, choose_cases, find_cases

LEAST_FLAIR = 0.35  # as settings.toml ships it
LARGE_ML = 1.0  # a false alarm of this size and more is told apart
POOR = 0.5  # Dice below which a scan of a tumor should be flagged
SETS = ("brats", "notumor", "othersequences", "pictures", "external", "public_test")


@dataclass(frozen=True)
class Given:
    """A scan of a set; mask: the tumor that a person drew, None where there is none to draw."""

    name: str
    scan: Path
    mask: Path | None


@dataclass(frozen=True)
class Outcome:
    """How a scan ended. dice: with the drawn tumor, 0 where it was not analyzed, None without one;
    codes: of `quality`, or `unreadable`."""

    name: str
    finding: str
    volume_ml: float
    dice: float | None
    confidence: float | None
    codes: tuple[str, ...]


def scans_of(data: Path, name: str) -> list[Given]:
    """The scans of one of SETS below `data`. Raises DatasetError when there is none."""
    if name == "public_test":
        cases = choose_cases(find_cases(data / "lgg"), data / "lgg" / "split.json", name)
        return [Given(case.patient, case.flair, case.mask) for case in cases]
    found = {
        "notumor": "*/*_flair.nii.gz",
        "othersequences": "*.nii.gz",
        "pictures": "*_flair.png",
    }
    if name not in found:
        return [Given(c.patient, c.flair, c.mask) for c in find_cases(data / name).values()]
    files = sorted((data / name).glob(found[name]))
    if not files:
        raise DatasetError(f"There are no scans of {name}.")
    return [
        Given(_stem(file), file, _mask_of(file) if name == "pictures" else None) for file in files
    ]


def outcome(
    given: Given, network: Network, input_check: InputCheck | None, rules: Rules
) -> Outcome:
    """Analyze one scan as for a report."""
    try:
        volume = read(scan_at(given.scan))
    except UnreadableScan:
        return Outcome(
            name=given.name,
            finding="unreadable",
            volume_ml=0.0,
            dice=None,
            confidence=None,
            codes=("unreadable",),
        )
    analysis = analyze(volume, network, rules, input_check)
    findings, score = analysis.findings, None
    if given.mask is not None:
        drawn = read(scan_at(given.mask)).voxels > 0
        found = analysis.segmentation
        score = 0.0 if found is None else dice(np.asarray(found.mask, dtype=bool), drawn)
    trust = findings.trust
    return Outcome(
        name=given.name,
        finding=str(findings.finding),
        volume_ml=round(findings.volume_ml, 2),
        dice=None if score is None else round(score, 4),
        confidence=None if trust is None else round(trust.confidence, 4),
        codes=tuple(note.code for note in findings.notes),
    )


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """Counts of each ending, and of Dice mean, median and worst; then all of them."""
    called = [each for each in outcomes if each.finding == Finding.TUMOR]
    scores = [each.dice for each in outcomes if each.dice is not None]
    content: dict[str, Any] = {
        "scans": len(outcomes),
        "called_tumor": len(called),
        "called_tumor_1_ml": sum(each.volume_ml >= LARGE_ML for each in called),
        "not_judged": sum(each.finding == Finding.NOT_ANALYZED for each in outcomes),
        "unreadable": sum(each.finding == "unreadable" for each in outcomes),
    }
    if scores:
        content["dice"] = {
            "mean": round(float(np.mean(scores)), 4),
            "median": round(float(np.median(scores)), 4),
            "worst": min(scores),
            "below_0.5": sum(score < POOR for score in scores),
        }
    return content | {"outcomes": [asdict(each) for each in outcomes]}


def outcomes_of(
    names: Iterable[str],
    data: Path,
    network: Network,
    input_check: InputCheck | None,
    say: Callable[[str], object],
) -> dict[str, Any]:
    """All figures of these sets, by their names."""
    content: dict[str, Any] = {}
    for name in names:
        rows = [outcome(given, network, input_check, Rules()) for given in scans_of(data, name)]
        content[name] = summary(rows)
        say(name + ": " + json.dumps({k: v for k, v in content[name].items() if k != "outcomes"}))
    return content


def show(
    data: Annotated[Path, typer.Option(exists=True, help="the folder that holds all sets")],
    weights: Annotated[
        Path | None, typer.Option(exists=True, help="None: the shipped ones")
    ] = None,
    sets: Annotated[list[str] | None, typer.Option("--set", help="one of them; all")] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="without the input check")] = False,
    figures: Annotated[Path | None, typer.Option("--json", help="write all figures")] = None,
) -> None:
    """One line a set: how its scans end."""
    try:
        network, input_check = (
            load_network(weights),
            None if anyway else load_input_check(LEAST_FLAIR),
        )
        content = outcomes_of(sets or SETS, data, network, input_check, typer.echo)
    except GliowatchError as error:
        typer.echo(f"training.outcomes: {error}", err=True)
        raise typer.Exit(2) from None
    if figures:
        about = {"weights_sha256": network.sha256, "input_check": not anyway}
        figures.write_text(json.dumps(about | content, indent=1) + "\n")


def _stem(file: Path) -> str:
    return file.name.split(".")[0].removesuffix("_flair")


def _mask_of(file: Path) -> Path:
    return file.with_name(file.name.replace("_flair.", "_seg."))


if __name__ == "__main__":
    typer.run(show)
