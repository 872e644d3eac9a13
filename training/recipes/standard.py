"""The `standard` recipe: all slices with neighbours, strong augmentation, Dice and entropy.

The batch of a step follows from the seed and its number; nothing is remembered between steps, so a
run that continues draws what it would have drawn.
"""

from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from model.geometry import dice, with_neighbours
from model.network.unet import UNet
from model.weights_config import STANDARD, UNetShape
from training.augmentation.transforms import augment
from training.cache import WHITE_LEVEL, CachedPatient
from training.datasets import DatasetError
from training.recipes.recipe import WARMUP, Method, adamw, annealed

TUMOR_SHARE = 0.55  # of the slices drawn; the rest comes from all other slices
STRIPPED_SHARE = 0.35  # shown without skull, since hospitals send both
ALONE_SHARE = 0.1  # shown between copies of themselves, as a single picture is


@dataclass(frozen=True)
class StandardPlan:
    """The numbers of the recipe; the first ones stand in settings.toml under [training].

    levels, stem: of the U-Net (model/network/unet.py). coarse_share: of the run, at its start, is
    spent on pictures of half the rows and columns. islands: share of the pictures that get bright
    islands that are no tumor.
    """

    batch: int = 8
    steps: int = 4200
    rate: float = 2e-3
    width: int = 32
    levels: int = 4
    stem: int = 2
    coarse_share: float = 0.6
    islands: float = 0.2
    seed: int = 7
    weight_decay: float = 1e-2
    warmup: float = WARMUP
    average: float = 0.999
    check_every: int = 500


class Batches:
    """Draws batches of `size` slices from the patients' caches."""

    def __init__(
        self, patients: list[CachedPatient], size: int, seed: int, islands: float = 0.0
    ) -> None:
        self._patients = patients
        self._size = size
        self._seed = seed
        self._islands = islands
        with_tumor = [np.flatnonzero(patient.mask.any(axis=(1, 2))) for patient in patients]
        self._tumor = [(p, int(k)) for p, ks in enumerate(with_tumor) for k in ks]
        self._rest = [
            (p, k)
            for p, patient in enumerate(patients)
            for k in range(len(patient.slices))
            if not patient.mask[k].any()
        ]

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Images (size, 3, h, w) and masks (size, 1, h, w), float32, augmented."""
        random = np.random.default_rng((self._seed, step))
        pairs = [self._example(random) for _ in range(self._size)]
        images = torch.from_numpy(np.stack([image for image, _ in pairs]))
        masks = torch.from_numpy(np.stack([mask for _, mask in pairs]))
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        return augment(images, masks, generator, self._islands)

    def _example(
        self, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        from_tumor = self._tumor and (not self._rest or random.random() < TUMOR_SHARE)
        pool = self._tumor if from_tumor else self._rest
        number, middle = pool[int(random.integers(len(pool)))]
        patient = self._patients[number]
        around = neighbours(len(patient.slices), middle, patient.step, random)
        image = patient.slices[around].astype(np.float32) / np.float32(WHITE_LEVEL)
        if random.random() < STRIPPED_SHARE:
            image *= patient.brain[around] * np.float32(patient.gain)
        return image, patient.mask[middle][None].astype(np.float32)


def neighbours(
    count: int, middle: int, step: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Indices of the slice below, the slice, the slice above; the distance varies a little."""
    chance = random.random()
    if chance < ALONE_SHARE:
        step = 0
    elif chance < ALONE_SHARE + 0.2:
        step += 1
    elif chance < ALONE_SHARE + 0.3:
        step = max(1, step - 1)
    if random.random() < 0.5:  # a stack may be seen from below as well
        step = -step
    around: NDArray[np.int64] = np.array([middle - step, middle, middle + step])
    return around.clip(0, count - 1)


def standard_method(
    plan: StandardPlan, train: list[CachedPatient], validation: list[CachedPatient]
) -> Method:
    """The recipe for these patients. Raises DatasetError when levels and stem do not fit."""
    batches = Batches(train, plan.batch, plan.seed, plan.islands)
    shape = UNetShape(width=plan.width, levels=plan.levels, stem=plan.stem)
    unit = plan.stem * 2 ** (plan.levels - 1)
    if STANDARD.rows % unit or STANDARD.columns % unit:
        raise DatasetError("This many levels do not fit the network's window with this stem.")

    def draw(step: int, share: float) -> tuple[Tensor, Tensor]:
        images, masks = batches.draw(step)
        return coarser(images, masks, unit) if share < plan.coarse_share else (images, masks)

    return Method(
        shape=shape,
        build=partial(UNet, shape),
        preparation=STANDARD,
        batch=plan.batch,
        steps=plan.steps,
        check_every=plan.check_every,
        average=plan.average,
        optimizer=adamw(plan.rate, plan.weight_decay),
        rate=annealed(plan.rate, plan.warmup),
        loss=segmentation_loss,
        draw=draw,
        score=lambda net: mean_dice(net, validation),
        keep_last=True,
        figures={"recipe": "standard", **asdict(plan)},
    )


def fine_tuning(
    shape: UNetShape,
    plan: StandardPlan,
    train: list[CachedPatient],
    validation: list[CachedPatient],
) -> Method:
    """The recipe for weights that know much already: a tenth of the rate, all of it fine."""
    gentle = replace(plan, rate=plan.rate / 10, coarse_share=0.0, average=0.99, check_every=50)
    return replace(next_round(shape, gentle, train, validation), keep_last=False)


def next_round(
    shape: UNetShape,
    plan: StandardPlan,
    train: list[CachedPatient],
    validation: list[CachedPatient],
) -> Method:
    """The recipe as it is, for a network that has ended one run.

    A warm restart: the rate rises and falls once more (Loshchilov, Hutter: SGDR, ICLR 2017).
    """
    same = replace(plan, width=shape.width, levels=shape.levels, stem=shape.stem)
    return standard_method(same, train, validation)


def coarser(images: Tensor, masks: Tensor, unit: int) -> tuple[Tensor, Tensor]:
    """Half the rows and columns, with an empty rim up to the next multiple of `unit`.

    A quarter of the work a step, so that much more is seen in the same time before the fine
    borders are learned (progressive resizing).
    """
    small = functional.avg_pool2d(images, 2), (functional.avg_pool2d(masks, 2) > 0.5).float()
    rows, columns = (-length % unit for length in small[0].shape[-2:])
    rim = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return functional.pad(small[0], rim), functional.pad(small[1], rim)


def segmentation_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy plus one minus the soft Dice over the whole batch (b, 1, h, w).

    The Dice term: Milletari, Navab, Ahmadi: V-Net, 3DV 2016 (with plain sums below the line).
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, masks)
    probability = torch.sigmoid(logits)
    overlap = (probability * masks).sum()
    soft_dice = (2 * overlap + 1) / (probability.sum() + masks.sum() + 1)
    return entropy + 1 - soft_dice


def mean_dice(net: nn.Module, patients: list[CachedPatient]) -> float:
    """Mean Dice of whole volumes, nan without any."""
    scores = [volume_dice(net, patient) for patient in patients]
    return float(np.mean(scores)) if scores else float("nan")


def volume_dice(net: nn.Module, patient: CachedPatient) -> float:
    """Dice of a whole volume on the network's grid, threshold 0.5."""
    slices = patient.slices.astype(np.float32) / np.float32(WHITE_LEVEL)
    device = next(net.parameters()).device
    parts = []
    with torch.inference_mode():
        for start in range(0, len(slices), 16):
            indices = np.arange(start, min(start + 16, len(slices)))
            images = torch.from_numpy(with_neighbours(slices, indices, patient.step))
            images = images.to(device, memory_format=torch.channels_last)
            parts.append((net(images) > 0).cpu().numpy()[:, 0])
    return dice(np.concatenate(parts), patient.mask)
