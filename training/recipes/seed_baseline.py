"""The `seed` recipe: the well-known demo's, as it is, to have something to be measured against.

A 64-128-256-512 U-Net on single slices of 96 x 96 that have tumor, each stretched from its
darkest to its brightest voxel; flips and quarter turns; cross-entropy; Adam 1e-3; batches of
4; 10 epochs; the best epoch by the mean Dice of the validation slices.
"""

from collections.abc import Iterable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import Parameter, functional
from torch.optim import Adam, Optimizer

from model.geometry import dice
from model.network.unet import UNet
from model.weights_config import SEED, SEED_SHAPE
from training.cache import WHITE_LEVEL, CachedPatient
from training.recipes.recipe import Method

BATCH, EPOCHS, RATE = 4, 10, 1e-3
VALIDATION_SHARE, TEST_SHARE = 0.15, 0.15


def seed_method(
    train: list[CachedPatient], validation: list[CachedPatient], seed: int, epochs: int = EPOCHS
) -> Method:
    """The recipe for these patients, prepared with SEED."""
    slices, masks = tumor_slices(train)
    batches = -(-len(slices) // BATCH)

    def draw(step: int, share: float) -> tuple[Tensor, Tensor]:
        epoch, number = divmod(step, batches)
        order = np.random.default_rng((seed, epoch)).permutation(len(slices))
        chosen = order[number * BATCH : (number + 1) * BATCH]
        turned = _turn(slices[chosen], masks[chosen], np.random.default_rng((seed, epoch, number)))
        return turned

    def optimizer(parameters: Iterable[Parameter]) -> Optimizer:
        return Adam(parameters, lr=RATE)

    return Method(
        shape=SEED_SHAPE,
        build=partial(UNet, SEED_SHAPE),
        preparation=SEED,
        batch=BATCH,
        steps=epochs * batches,
        check_every=batches,
        average=0.0,
        optimizer=optimizer,
        rate=lambda share: RATE,
        loss=functional.binary_cross_entropy_with_logits,
        draw=draw,
        score=lambda net: slice_dice(net, validation),
        keep_last=False,
        figures={"recipe": "seed", "batch": BATCH, "epochs": epochs, "rate": RATE, "seed": seed},
    )


def tumor_slices(
    patients: list[CachedPatient],
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """All slices that have tumor, uint8 (n, 96, 96), and their masks."""
    chosen = [patient.mask.any(axis=(1, 2)) for patient in patients]
    slices = [patient.slices[has] for patient, has in zip(patients, chosen, strict=True)]
    masks = [patient.mask[has] for patient, has in zip(patients, chosen, strict=True)]
    return np.concatenate(slices), np.concatenate(masks)


def slice_dice(net: nn.Module, patients: list[CachedPatient]) -> float:
    """Mean Dice of the slices that have tumor, threshold 0.5: what such demos report."""
    if not patients:
        return float("nan")
    slices, masks = tumor_slices(patients)
    scores: list[float] = []
    device = next(net.parameters()).device
    with torch.inference_mode():
        for start in range(0, len(slices), 16):
            batch = slices[start : start + 16, None].astype(np.float32) / np.float32(WHITE_LEVEL)
            found = (net(torch.from_numpy(batch).to(device)) > 0).cpu().numpy()[:, 0]
            scores += map(dice, found, masks[start : start + 16])
    return float(np.mean(scores))


def _turn(
    slices: NDArray[np.uint8], masks: NDArray[np.bool_], random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Flips left-right and up-down by chance, and a quarter turn or more, or none."""
    images = np.empty((len(slices), 1, *slices.shape[1:]), np.float32)
    drawn = np.empty_like(images)
    for number, (image, mask) in enumerate(zip(slices, masks, strict=True)):
        pair = np.stack([image.astype(np.float32) / np.float32(WHITE_LEVEL), mask])
        for axis in (1, 2):
            if random.random() < 0.5:
                pair = np.flip(pair, axis)
        pair = np.rot90(pair, int(random.integers(4)), axes=(1, 2))
        images[number, 0], drawn[number, 0] = pair
    return torch.from_numpy(images), torch.from_numpy(drawn)
