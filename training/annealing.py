"""How our own recipes step: AdamW, whose rate rises shortly and falls along half a cosine."""

from collections.abc import Callable, Iterable

import numpy as np
from torch.nn import Parameter
from torch.optim import AdamW, Optimizer

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
