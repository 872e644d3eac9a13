"""May this be judged at all? A small network looks whether it sees an axial FLAIR of a head.

It learned to say no from imitations of other sequences, other views, and things that are no
head (training/impostors.py); a scan's answer is the mean over slices from the middle of it.
"""

import json
from dataclasses import asdict, dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from model.errors import WeightsError
from model.loading import fill, read_safetensors
from model.preparation import HEAD_SLICES, Prepared
from model.seen import Seen

SHIPPED = "flair_gate.safetensors"
LOOKED_AT = 12  # slices of a scan, at most
SMALL = 0.1  # of the largest slice of the head: less is a cap or noise
MIDDLE = (0.25, 0.85)  # of the slices with a head, from below: where a head looks like one


CLASSES = tuple(Seen)


@dataclass(frozen=True)
class GateShape:
    """What must be known to build the gate again: it travels with the weights."""

    width: int = 16

    def as_dict(self) -> dict[str, int]:
        """Plain numbers, for a checkpoint or a file header."""
        return asdict(self)

    def build(self) -> "GateNet":
        """The network, untrained."""
        return GateNet(self)


class GateNet(nn.Module):
    """(b, 1, h, w) float32 in [0, 1], as `model.preparation` makes it -> (b, 4) logits."""

    def __init__(self, shape: GateShape) -> None:
        super().__init__()
        self.shape = shape
        widths = [1, *(shape.width * factor for factor in (1, 2, 3, 4))]
        self.layers = nn.Sequential(*(_step(a, b) for a, b in pairwise(widths)))
        self.head = nn.Linear(2 * widths[-1], len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """Half the grid, four steps of half the grid each, then means and maxima over it."""
        deep = self.layers(functional.avg_pool2d(x, 2))
        logits: Tensor = self.head(torch.cat([deep.mean((2, 3)), deep.amax((2, 3))], 1))
        return logits


def _step(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


@dataclass(frozen=True)
class Gate:
    """A gate ready to look. least: the least share of FLAIR that lets a scan in."""

    net: GateNet
    least: float

    def shares(self, prepared: Prepared) -> dict[Seen, float]:
        """How much a scan looks like each of the classes: they sum to 1."""
        indices = middle_slices(prepared.head, prepared.step)
        if not indices.size:
            return {seen: float(seen is Seen.NO_HEAD) for seen in CLASSES}
        with torch.inference_mode():
            logits = self.net(torch.from_numpy(prepared.slices[indices][:, None]))
            shares = torch.softmax(logits.mean(0), 0).tolist()
        return dict(zip(CLASSES, shares, strict=True))

    def seen(self, prepared: Prepared) -> Seen:
        """FLAIR if that share is large enough, else what it looks like most of all others."""
        shares = self.shares(prepared)
        if shares.pop(Seen.FLAIR) >= self.least:
            return Seen.FLAIR
        return max(shares, key=lambda seen: shares[seen])


def middle_slices(head: NDArray[np.bool_], step: int) -> NDArray[np.int64]:
    """Up to LOOKED_AT slices, evenly from the middle of the head: (n, rows, columns) -> (m,).

    step: as in Prepared; a field of view that reaches down to the neck is cut below the head.
    """
    area = head.sum(axis=(1, 2))
    filled = np.flatnonzero(area > SMALL * area.max())
    if not filled.size:
        return filled
    filled = filled[filled > filled[-1] - HEAD_SLICES * step]
    low, high = (share * (len(filled) - 1) for share in MIDDLE)
    count = min(LOOKED_AT, 1 + int(high - low))
    chosen: NDArray[np.int64] = filled[np.unique(np.linspace(low, high, count).round().astype(int))]
    return chosen


def load_gate(least: float) -> Gate:
    """The gate shipped in this package. Raises WeightsError when its file is damaged."""
    with resources.as_file(resources.files("model.weights") / SHIPPED) as path:
        return read_gate(path, least)


def read_gate(path: Path, least: float) -> Gate:
    """The gate in a safetensors file. Raises WeightsError when it is missing or damaged."""
    try:
        header, tensors = read_safetensors(path)
        net = GateShape(**json.loads(header["shape"])).build()
        fill(net, tensors)
    except Exception:  # torch and safetensors raise many kinds on hostile bytes
        raise WeightsError("The gate's weights are missing or damaged.") from None
    return Gate(net, least)
