"""The gate's network in torch, which learns; what judges is model/graphs.py, the same network."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.gate import CLASSES, GateShape


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
