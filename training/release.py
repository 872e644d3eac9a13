"""From checkpoints to the weights that are shipped, with their certainty measured on folds.

Each patient of `development` is analyzed by the one fold that did not learn from it; from these
the probabilities are calibrated, and range and confidence fitted and checked. Either the five
folds are written, as members that analyze together, or another run that shall analyze alone.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from model.errors import GliowatchError
from model.inference.segmentation import Rules
from model.network.network import load_network
from model.network.weights_file import MEMBERS
from training.calibration.confidence_fit import analyzed, check, fit, rates
from training.datasets import Case, DatasetError, find_cases, folds_of, read_split
from training.loop import BEST, header_of, load_checkpoint, save_weights, tensors_of

THRESHOLD = Rules().threshold
FAST = 3  # members that analyze in `fast`


def ship(
    data: Annotated[Path, typer.Option(exists=True, help="<id>/<id>_flair.nii.gz and _seg")],
    split: Annotated[Path, typer.Option(exists=True, help="JSON with the list development")],
    out: Annotated[Path, typer.Option("-o", "--out", help="weights file to write")],
    runs: Annotated[list[Path], typer.Argument(exists=True, help="folders of folds 1 to 5")],
    analyze: Annotated[
        Path | None,
        typer.Option(exists=True, help="folder of the run that shall judge, instead of the folds"),
    ] = None,
    figures: Annotated[Path | None, typer.Option("--json", help="write all figures")] = None,
) -> None:
    """Measure the certainty on five folds, and write them, or one other run, with it."""
    try:
        saved = [load_checkpoint(run / BEST) for run in runs]
        alone = load_checkpoint(analyze / BEST) if analyze else None
        content = _ship(find_cases(data), read_split(split), saved, alone, out)
    except GliowatchError as error:
        typer.echo(f"training.release: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(json.dumps(content, indent=1))
    if figures:
        figures.write_text(json.dumps(content, indent=1) + "\n")


def _ship(
    cases: dict[str, Case],
    lists: dict[str, tuple[str, ...]],
    saved: list[dict[str, Any]],
    analyze: dict[str, Any] | None,
    out: Path,
) -> dict[str, Any]:
    digests = tuple(each["split_sha256"] for each in saved)
    members = folds_of(lists.get("development", ()), int(saved[0]["plan"]["seed"]), digests)
    if missing := [name for name in members if name not in cases]:
        raise DatasetError(f"{len(missing)} patients of the split are not in the data.")
    unmeasured = out.with_suffix(".unmeasured")
    tensors, header = _joined(saved)
    save_weights(tensors, header, unmeasured)
    network = load_network(unmeasured)
    patients = []
    for name, number in sorted(members.items()):
        patients.append(analyzed(cases[name], network.member(number), number))
        typer.echo(f"fold {number + 1}: {name}")
    certainty = asdict(fit(patients, THRESHOLD))
    if analyze is not None:
        tensors, header = tensors_of(analyze), header_of(analyze)
    save_weights(tensors, header | {"certainty": json.dumps(certainty)}, out)
    unmeasured.unlink()
    return {"certainty": certainty, **rates(check(patients, THRESHOLD))}


def _joined(saved: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """Tensors of all members, named by their number, and one header that lists what each is."""
    tensors = {
        f"{number}.{name}": tensor
        for number, each in enumerate(saved)
        for name, tensor in tensors_of(each).items()
    }
    header = header_of(saved[-1])
    listed = {"shapes": "shape", "splits": "split_sha256", "steps": "step"}
    listed |= {"plans": "plan", "origins": "origin"}
    for name, key in listed.items():
        header.pop(key, None)
        header[name] = json.dumps([each[key] for each in saved])
    header.pop("validation_dice", None)
    return tensors, header | {MEMBERS: str(len(saved)), "fast": str(min(FAST, len(saved)))}


if __name__ == "__main__":
    typer.run(ship)
