"""`python -m training.ship`: five folds become one weights file, with its certainty measured.

Each patient of `development` is judged by the one member that did not learn from it; from these
the probabilities are calibrated, and range and confidence fitted and checked.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from model.head import brightness, head_mask
from model.loading import MEMBERS, load_network
from model.network import Network
from model.preparation import from_window, prepare
from model.reading.nifti import read_nifti
from training.cases import Case, find_cases, folds_of, read_split
from training.checkpoint import BEST, load_checkpoint
from training.export import header_of, save_weights, tensors_of
from training.trust import Judged, check, fit, rates

THRESHOLD = 0.5
FAST = 3  # members that judge in `fast`


def ship(
    data: Annotated[Path, typer.Option(exists=True, help="<id>/<id>_flair.nii.gz and _seg")],
    split: Annotated[Path, typer.Option(exists=True, help="JSON with the list development")],
    out: Annotated[Path, typer.Option("-o", "--out", help="weights file to write")],
    runs: Annotated[list[Path], typer.Argument(exists=True, help="folders of folds 1 to 5")],
    figures: Annotated[Path | None, typer.Option("--json", help="write all figures")] = None,
) -> None:
    """Join five folds into one weights file."""
    saved = [load_checkpoint(run / BEST) for run in runs]
    save_weights(*_joined(saved), out)
    cases = find_cases(data)
    network = load_network(out)
    patients = []
    seed = int(saved[0]["plan"]["seed"])
    members = folds_of(read_split(split)["development"], seed, network.splits)
    for name, number in sorted(members.items()):
        patients.append(_judge(cases[name], network.member(number), number))
        typer.echo(f"fold {number + 1}: {name}")
    certainty = fit(patients, THRESHOLD)
    tensors, header = _joined(saved)
    save_weights(tensors, header | {"certainty": json.dumps(asdict(certainty))}, out)
    content = {"certainty": asdict(certainty), **rates(check(patients, THRESHOLD))}
    typer.echo(json.dumps(content, indent=1))
    if figures:
        figures.write_text(json.dumps(content, indent=1) + "\n")


def _joined(saved: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """Tensors of all members, named by their number, and one header for all."""
    tensors = {
        f"{number}.{name}": tensor
        for number, each in enumerate(saved)
        for name, tensor in tensors_of(each).items()
    }
    splits = json.dumps([each["split_sha256"] for each in saved])
    steps = json.dumps([each["step"] for each in saved])
    header = header_of(saved[0])
    for one_members in ("split_sha256", "step", "validation_dice"):
        del header[one_members]
    return tensors, header | {
        MEMBERS: str(len(saved)),
        "fast": str(min(FAST, len(saved))),
        "splits": splits,
        "steps": steps,
    }


def _judge(case: Case, network: Network, fold: int) -> Judged:
    volume = read_nifti(case.flair)
    prepared = prepare(volume, network.preparation)
    plain = replace(network, certainty=None)
    probability = from_window(plain.probabilities(prepared, best=False), prepared.grid)
    head = head_mask(brightness(volume.voxels))
    return Judged(fold, probability, head, read_nifti(case.mask).voxels > 0)


if __name__ == "__main__":
    typer.run(ship)
