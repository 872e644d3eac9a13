"""The training step and the common way, to have something to be measured against.

Eager torch in its default layout, one slice after the other: each stretched from its darkest to
its brightest voxel, as 8 bit, at 96 x 96, through a 64-wide U-Net; back to the slice's size, cut
at a threshold, and a PNG for each slice.

The plain loop: torch's default layout, cross-entropy, Adam, and the gradient's norm held at 1.

Both need torch; where it is missing, there are no such rows, and the rest is measured all the same.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional

from model.inference.preprocessing import prepare
from model.intensity import stretch
from model.network.network import Network
from model.network.unet import UNet, filled
from model.volume import FloatArray, Volume
from model.weights_config import SEED, SEED_SHAPE, STANDARD
from tools.bench.timing import Row
from training.cache import CachedPatient
from training.datasets import Split
from training.loop import Limits, Training
from training.recipes.recipe import Method
from training.recipes.standard import StandardPlan, standard_method

SAMPLE = 8  # slices that are timed; the whole scan takes so much longer
OURS, COMMON = "our network, the common way", "the common way"


def rows_of(volume: Volume, network: Network, folder: Path) -> tuple[Row, ...]:
    """Our own network run that way, and all of that way with its own network (untrained: the
    values do not matter for the time). Both are timed on a few slices from the middle."""
    prepared = prepare(volume, network.preparation)
    busy = np.flatnonzero(prepared.head.any(axis=(1, 2)))
    images = network.inputs(prepared, _middle(busy))
    slices = stretch(np.moveaxis(volume.voxels, volume.slice_axis, 0))
    chosen = slices[_middle(np.arange(len(slices)))]
    ours, theirs = filled(network.members[0]), UNet(SEED_SHAPE).eval()
    return (
        Row(OURS, lambda: infer_one_by_one(ours, images), len(busy) / len(images)),
        Row(COMMON, lambda: infer_commonly(theirs, chosen, folder), len(slices) / len(chosen)),
    )


def infer_one_by_one(net: UNet, images: FloatArray) -> list[FloatArray]:
    """A slice after the other, (b, inputs, rows, columns), in torch's default layout."""
    with torch.inference_mode():
        return [net.probability(torch.from_numpy(image[None]))[0, 0].numpy() for image in images]


def infer_commonly(net: UNet, slices: FloatArray, folder: Path) -> None:
    """Slices (n, rows, columns) in [0, 1], one PNG of the mask each in `folder`."""
    for number, each in enumerate(slices):
        picture = Image.fromarray((255 * each).astype(np.uint8))
        small = np.asarray(picture.resize((SEED.columns, SEED.rows), Image.Resampling.BILINEAR))
        (analyzed,) = infer_one_by_one(net, small[None, None].astype(np.float32) / np.float32(255))
        whole = Image.fromarray(analyzed).resize(picture.size, Image.Resampling.BILINEAR)
        marked = np.asarray(whole) > 0.5
        Image.fromarray(marked.astype(np.uint8) * np.uint8(255)).save(folder / f"{number}.png")


def _middle(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    start = max(0, (len(indices) - SAMPLE) // 2)
    return indices[start : start + SAMPLE]


SIZES = {"as shipped": (16, 5, 1), "as in settings.toml": (32, 4, 2)}  # width, levels, stem
FINE = 0.9  # share of a run: the pictures are whole then
OUR_STEP, PLAIN, LOADER = "our step", "the plain loop's step", "of ours: drawing the batch"


def step_rows(folder: Path) -> tuple[Row, ...]:
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
    return CachedPatient(
        patient="a", slices=slices, mask=mask, brain=np.ones(shape, bool), gain=1.0, step=1
    )
