"""What makes a recipe: everything of a training run that is not the loop itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from model.framing import Preparation
from model.unet import UNet, UNetShape


@dataclass(frozen=True)
class Method:
    """One recipe, ready for the loop.

    steps: of the whole run; check_every: steps between two validations; average: how much of
    the moving average of the weights is kept at each step, 0 for none. rate: learning rate by
    the share of the run that is done. draw: the batch of a step, images (b, c, h, w) and masks
    (b, 1, h, w), from the step's number alone. score: mean validation Dice of a network.
    figures: the numbers above and below, as plain values for the checkpoint.
    """

    shape: UNetShape
    preparation: Preparation
    batch: int
    steps: int
    check_every: int
    average: float
    optimizer: Callable[[Iterable[Parameter]], Optimizer]
    rate: Callable[[float], float]
    loss: Callable[[Tensor, Tensor], Tensor]
    draw: Callable[[int], tuple[Tensor, Tensor]]
    score: Callable[[UNet], float]
    figures: dict[str, Any]
