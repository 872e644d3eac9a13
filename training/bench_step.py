"""The training step, and the plain loop's with the same network, each to be timed.

The plain loop: torch's default layout, cross-entropy, Adam, and the gradient's norm held at 1.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from model.framing import STANDARD
from model.timing import Row
from training.cache import CachedPatient
from training.cases import Split
from training.loop import Limits, Training
from training.method import Method
from training.standard import StandardPlan, standard_method

SIZES = {"as shipped": (16, 5, 1), "as in settings.toml": (32, 4, 2)}  # width, levels, stem
FINE = 0.9  # share of a run: the pictures are whole then
OURS, PLAIN, LOADER = "our step", "the plain loop's step", "of ours: drawing the batch"


def rows_of(folder: Path) -> tuple[Row, ...]:
    """For each size of network: our step, the plain loop's, and the drawing of a batch."""
    rows: list[Row] = []
    for name, (width, levels, stem) in SIZES.items():
        plan = StandardPlan(width=width, levels=levels, stem=stem)
        method = standard_method(plan, [_patient()], [])
        run = Training(method, Limits(), Split(("a",), ()), folder / name, {})
        rows += [
            Row(f"{name}, {OURS}", run.steps(FINE)),
            Row(f"{name}, {PLAIN}", _plain_steps(method)),
            Row(f"{name}, {LOADER}", partial(method.draw, 3, FINE)),
        ]
    return tuple(rows)


def _plain_steps(method: Method) -> Callable[[], object]:
    """The plain loop's next step at each call; its batch is drawn beforehand."""
    net = method.build().train()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    images, masks = method.draw(3, FINE)

    def step() -> None:
        loss = functional.binary_cross_entropy_with_logits(net(images), masks)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    return step


def _patient() -> CachedPatient:
    """Somebody of noise: what is drawn takes as long as a head does."""
    shape = (40, STANDARD.rows, STANDARD.columns)
    slices = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    mask = np.zeros(shape, bool)
    mask[10:25, 60:90, 50:80] = True
    return CachedPatient("a", slices, mask, np.ones(shape, bool), 1.0, 1)
