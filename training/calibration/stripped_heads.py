"""`python -m training.calibration.stripped_heads`: a network's word on heads without skull.

There the shipped network marks too little: it learned from heads with skull, and from these with
the skull taken away. It learned from no scan of `brats`, so these tell where the line lies better,
and how far its masks can be trusted then. Every figure is out of fold: the line and the numbers for
a fold come from the other four.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from safetensors import safe_open

from model.errors import GliowatchError
from model.geometry import dice
from model.inference.segmentation import Rules
from model.network.network import Network, load_network
from model.network.weights_file import read_safetensors
from training.calibration.confidence_fit import Analyzed, Checked, analyzed, compare, fit, rates
from training.datasets import FOLDS, Case, find_cases
from training.evaluate import spread
from training.folds import read_folds
from training.loop import save_weights

THRESHOLD = Rules().threshold
CUTS = tuple(float(cut) for cut in np.arange(0, -6.01, -0.5))  # logits that a line may lie at
ENOUGH = 0.002  # of the best mean Dice: the line that moves least and comes so near is taken


@dataclass(frozen=True)
class Tried:
    """A patient, and the Dice of the masks from each of CUTS on."""

    patient: Analyzed
    dices: tuple[float, ...]


def tried(case: Case, network: Network, fold: int) -> Tried:
    """Analyze a scan once, and cut its probabilities everywhere. Raises UnreadableScan."""
    found = analyzed(case, network, fold)
    patient = replace(found, core=found.marked(found.probability, THRESHOLD))
    levels = (1 / (1 + np.exp(-cut)) for cut in CUTS)
    return Tried(
        patient, tuple(dice(patient.marked(found.probability, at), found.drawn) for at in levels)
    )


def line_of(patients: Sequence[Tried]) -> float:
    """The logit nearest to 0 whose mean Dice is within ENOUGH of the best."""
    means = np.mean([each.dices for each in patients], axis=0)
    return CUTS[int(np.argmax(means >= means.max() - ENOUGH))]


def out_of_fold(patients: Sequence[Tried]) -> list[Checked]:
    """Each by the line and the numbers that were fitted without its fold, in their order."""
    fitted = {}
    for fold in sorted({each.patient.fold for each in patients}):
        others = [each for each in patients if each.patient.fold != fold]
        fitted[fold] = fit([each.patient for each in others], THRESHOLD, line_of(others))
    return [compare(each.patient, fitted[each.patient.fold], THRESHOLD) for each in patients]


def figures_of(patients: Sequence[Tried], checked: Sequence[Checked]) -> dict[str, Any]:
    """Dice with the line at 0 and out of fold, their difference, and the confidence's rates."""
    before = [each.dices[0] for each in patients]
    after = [each.dice for each in checked]
    bias = np.mean([each.confidence - each.dice for each in checked])
    return {
        "before": spread(before),
        "found_over_drawn_before": round(_found_over_drawn(patients), 3),
        "out_of_fold": spread(after),
        "difference": spread([new - old for new, old in zip(after, before, strict=True)]),
        "mean_dice_by_cut": dict(
            zip(CUTS, np.mean([each.dices for each in patients], axis=0).round(4), strict=True)
        ),
        "confidence_bias": round(float(bias), 4),
        **rates(checked),
    }


def _found_over_drawn(patients: Sequence[Tried]) -> float:
    """Geometric mean of the volumes that the line at 0 gives, as shares of the drawn ones."""
    shares = [
        each.patient.marked(each.patient.probability, THRESHOLD).sum() / each.patient.drawn.sum()
        for each in patients
    ]
    return float(np.exp(np.log(shares).mean()))


def write(weights: Path, patients: Sequence[Tried], out: Path) -> dict[str, float]:
    """The same weights, with the numbers for heads without skull in their header."""
    certainty = asdict(fit([each.patient for each in patients], THRESHOLD, line_of(patients)))
    header, _ = read_safetensors(weights)
    with safe_open(weights, "pt") as stored:
        tensors: dict[str, torch.Tensor] = {n: stored.get_tensor(n) for n in stored.keys()}  # noqa: SIM118
    save_weights(tensors, header | {"certainty_stripped": json.dumps(certainty)}, out)
    return certainty


def show(
    data: Annotated[Path, typer.Option(exists=True, help="holds brats")],
    weights: Annotated[Path, typer.Option(exists=True, help="learned from no scan of brats")],
    out: Annotated[Path, typer.Option("-o", "--out", help="the weights with the numbers")],
) -> None:
    """Fit line, confidence and range on stripped heads, check them by folds, and write them."""
    try:
        network, cases, folds = load_network(weights), find_cases(data / "brats"), read_folds()
        fold_of = {name: k for k in range(1, FOLDS + 1) for name in folds.split(k).validation}
        patients = []
        for number, (name, case) in enumerate(sorted(cases.items()), start=1):
            patients.append(tried(case, network, fold_of[name]))
            typer.echo(f"{number} of {len(cases)}: {name}")
        content = figures_of(patients, out_of_fold(patients))
        typer.echo(json.dumps(content | {"fitted": write(weights, patients, out)}, indent=1))
    except GliowatchError as error:
        typer.echo(f"training.calibration.stripped_heads: {error}", err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    typer.run(show)
