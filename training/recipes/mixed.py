"""The `mixed` recipe: `standard` on heads with skull and stripped, with tumor and without.

It learns by the frozen folds of training/folds.py from the file of training/mixed_cache.py, and
needs torch and numpy alone for that. Some of the slices are painted with lesions that are no tumor,
shown as another scanner would, or made into pictures as people upload them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.augmentation.painted_lesions import Lesions, load_lesions, paint
from training.augmentation.transforms import augment, other_scanner
from training.augmentation.uploaded_pictures import as_picture
from training.cache import WHITE_LEVEL, CachedPatient, load_cache
from training.datasets import Split
from training.folds import LEARNED, read_folds
from training.recipes.recipe import Method
from training.recipes.standard import (
    STRIPPED_SHARE,
    StandardPlan,
    coarser,
    neighbours,
    standard_method,
)

LEAST_LIT = 0.03  # of a slice's pixels: one with less shows nothing
LIT = 20  # of 255

Example = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class MixedShares:
    """Shares of the slices that are drawn. lgg, brats, notumor: of each kind, they sum to 1;
    tumor: of those of the first two, that have it; painted: with lesions that are no tumor, of
    notumor and of the others; scanner: with another scanner's contrast; pictures: as uploaded.
    """

    lgg: float = 0.55
    brats: float = 0.32
    notumor: float = 0.13
    tumor: float = 0.63
    painted_free: float = 0.4
    painted: float = 0.15
    scanner: float = 0.15
    pictures: float = 0.1


# What every fold and the shipped network are trained by: 300,000 slices.
MIXED_PLAN = StandardPlan(
    batch=8,
    steps=37_500,
    rate=1.5e-3,
    width=16,
    levels=5,
    stem=1,
    coarse_share=0.2,
    islands=0.1,
    check_every=3000,
)


# For weights that know tumors with skull already: 24,000 slices, all of them fine.
FURTHER_PLAN = replace(MIXED_PLAN, steps=3_000, rate=5e-4, coarse_share=0.0, check_every=1000)


class MixedBatches:
    """Draws batches from heads of several kinds, and lesions to paint."""

    def __init__(
        self, patients: Sequence[CachedPatient], lesions: Sequence[Lesions], shares: MixedShares
    ) -> None:
        self._chance = shares
        self._lesions = lesions
        kinds = [kind for kind in LEARNED if _of(patients, kind)]
        self._kinds = [_of(patients, kind) for kind in kinds]
        self._shares = np.array([asdict(shares)[kind] for kind in kinds], np.float64)
        self._shares /= self._shares.sum()
        self._slices = {patient.patient: _slices(patient) for patient in patients}

    def draw(self, step: int, size: int, seed: int, islands: float) -> tuple[Tensor, Tensor]:
        """Images (size, 3, h, w) and masks (size, 1, h, w), float32, augmented."""
        random = np.random.default_rng((seed, step))
        pairs = [self._example(random) for _ in range(size)]
        images = torch.from_numpy(np.stack([image for image, _ in pairs]))
        masks = torch.from_numpy(np.stack([mask for _, mask in pairs]))
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        return augment(images, masks, generator, islands)

    def _example(self, random: np.random.Generator) -> Example:
        kind = self._kinds[int(random.choice(len(self._kinds), p=self._shares))]
        patient = kind[int(random.integers(len(kind)))]
        tumor, rest = self._slices[patient.patient]
        wanted = tumor.size and (not rest.size or random.random() < self._chance.tumor)
        middle = int(random.choice(tumor if wanted else rest))
        image = self._shown(patient, middle, random)
        mask = patient.mask[middle].astype(np.float32)
        if random.random() < self._chance.scanner:
            image = other_scanner(image, random)
        if random.random() < self._chance.pictures:
            picture, mask = as_picture(image[1], mask, random)
            image = np.stack([picture] * 3)
        return image, mask[None]

    def _shown(
        self, patient: CachedPatient, middle: int, random: np.random.Generator
    ) -> NDArray[np.float32]:
        """A slice between its neighbours, painted on and stripped by chance."""
        around = neighbours(len(patient.slices), middle, patient.step, random)
        image = patient.slices[around].astype(np.float32) / np.float32(WHITE_LEVEL)
        share = self._chance.painted_free if patient.kind == "notumor" else self._chance.painted
        if self._lesions and random.random() < share:
            lesions = self._lesions[int(random.integers(len(self._lesions)))]
            image = paint(image, around, patient, lesions, random)
        if random.random() < STRIPPED_SHARE:
            image *= patient.brain[around] * np.float32(patient.gain)
        return image.clip(0, 1)


def mixed_method(
    plan: StandardPlan,
    shares: MixedShares,
    train: Sequence[CachedPatient],
    lesions: Sequence[Lesions],
    validation: Sequence[CachedPatient],
) -> Method:
    """The recipe for these heads; its score is that of those validation heads that have tumor."""
    drawn = MixedBatches(train, lesions, shares)
    with_tumor = [patient for patient in validation if patient.kind != "notumor"]
    plain = standard_method(plan, list(train), with_tumor)
    unit = plan.stem * 2 ** (plan.levels - 1)

    def draw(step: int, share: float) -> tuple[Tensor, Tensor]:
        images, masks = drawn.draw(step, plan.batch, plan.seed, plan.islands)
        return coarser(images, masks, unit) if share < plan.coarse_share else (images, masks)

    # They still name `standard`: runs from before this recipe had a name go on with it.
    figures = {**plain.figures, **{f"share_{k}": v for k, v in asdict(shares).items()}}
    return replace(plain, draw=draw, figures=figures, bfloat16=True)


def mixed_fold(
    cache: Path, fold: int, seed: int = MIXED_PLAN.seed, further: bool = False
) -> tuple[Split, Method]:
    """Who learns when that fold is put aside (0: nobody is), and the recipe for them.

    further: the run goes on from trained weights of the same shape.

    Raises KeyError when a head is not in the cache.
    """
    folds = read_folds()
    split = folds.split(fold)
    train, validation = load_cache(cache, split.train), load_cache(cache, split.validation)
    lesions = load_lesions(cache, folds.persons(fold))
    plan = replace(FURTHER_PLAN if further else MIXED_PLAN, seed=seed)
    return split, mixed_method(plan, MixedShares(), train, lesions, validation)


def _of(patients: Sequence[CachedPatient], kind: str) -> list[CachedPatient]:
    return [patient for patient in patients if patient.kind == kind]


def _slices(patient: CachedPatient) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the slices with tumor, and of the others that show something."""
    tumor = patient.mask.any(axis=(1, 2))
    lit = (patient.slices > LIT).mean(axis=(1, 2)) > LEAST_LIT
    return np.flatnonzero(tumor), np.flatnonzero(lit & ~tumor)
