"""`python -m training.averaging`: the mean of two networks, one of which went on from the other.

A network that learns a new world forgets some of its old one; half-way between both it keeps most
of either (Wortsman et al.: Robust fine-tuning of zero-shot models, CVPR 2022). Batch normalisation
is averaged too, which holds as long as the two lie close to each other.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from safetensors.numpy import save_file

from model.network.weights_file import read_safetensors
from training.datasets import DatasetError


def average(first: Path, second: Path, share: float, out: Path) -> str:
    """Write the mean with `share` of the second, as fp16; the file's SHA-256.

    The header is that of the first, with its certainty; `origin` names both files by their hashes
    and where the second came from. Raises DatasetError when they are not of one shape.
    """
    header, tensors = read_safetensors(first)
    further, others = read_safetensors(second)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    if shapes != {name: tensor.shape for name, tensor in others.items()}:
        raise DatasetError("Only networks of one shape can be averaged.")
    mixed = {
        name: ((1 - share) * tensors[name] + share * others[name]).astype(np.float16)
        for name in tensors
    }
    origin = {
        "mean_of": [hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second)],
        "share_of_second": share,
        "first": json.loads(header["origin"]),
        "second": json.loads(further["origin"]),
        "second_plan": json.loads(further["plan"]),
    }
    save_file(mixed, out, metadata=header | {"origin": json.dumps(origin)})
    return hashlib.sha256(out.read_bytes()).hexdigest()


def main(
    first: Annotated[Path, typer.Argument(exists=True, help="weights, .safetensors")],
    second: Annotated[Path, typer.Argument(exists=True, help="that went on from the first")],
    out: Annotated[Path, typer.Option("-o", "--out", help="weights file to write")],
    share: Annotated[float, typer.Option(min=0, max=1, help="of the second")] = 0.5,
) -> None:
    """Average two networks of one shape."""
    typer.echo(average(first, second, share, out))


if __name__ == "__main__":
    typer.run(main)
