"""What makes a recipe: everything of a training run that is not the loop itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import AdamW, Optimizer

from model.weights_config import Preparation


class Shape(Protocol):
    """What must be known to build a network again, as numbers for the checkpoint."""

    def as_dict(self) -> dict[str, int]:
        """Plain numbers."""


@dataclass(frozen=True)
class Method:
    """One recipe, ready for the loop.

    build: the untrained network, its weights drawn from torch's generator.
    steps: of the whole run; check_every: steps between two validations; average: how much of
    the moving average of the weights is kept at each step, 0 for none. rate: learning rate by
    the share of the run that is done. draw: the batch of a step, images (b, c, h, w) and what they
    show (masks (b, 1, h, w), or classes (b,)), from its number and the share of the run alone.
    score: mean validation Dice of a network, nan without validation patients. keep_last: the
    weights at the end of the run are the result, whatever their score; else the best ones.
    figures: the numbers above and below, as plain values for the checkpoint. bfloat16: convolutions
    in half precision on a processor too; on a card always.
    """

    shape: Shape
    build: Callable[[], nn.Module]
    preparation: Preparation
    batch: int
    steps: int
    check_every: int
    average: float
    optimizer: Callable[[Iterable[Parameter]], Optimizer]
    rate: Callable[[float], float]
    loss: Callable[[Tensor, Tensor], Tensor]
    draw: Callable[[int, float], tuple[Tensor, Tensor]]
    score: Callable[[nn.Module], float]
    keep_last: bool
    figures: dict[str, Any]
    bfloat16: bool = False


WARMUP = 0.05  # of the run


def adamw(rate: float, weight_decay: float) -> Callable[[Iterable[Parameter]], Optimizer]:
    """Makes the optimizer for a network's parameters (Loshchilov, Hutter, ICLR 2019)."""
    return lambda parameters: AdamW(
        parameters,
        lr=rate,
        weight_decay=weight_decay,
        fused=True,  # all tensors in one go
    )


def annealed(rate: float, warmup: float = WARMUP) -> Callable[[float], float]:
    """The rate by the share of the run that is done; `rate` is its highest."""

    def at(share: float) -> float:
        if share < warmup:
            return rate * (share + 1e-3) / (warmup + 1e-3)
        return rate * 0.5 * (1 + float(np.cos(np.pi * (share - warmup) / (1 - warmup))))

    return at
