"""Which slices make up the batch of a step: drawn anew from the seed and the step's number.

Nothing is remembered between steps, so a run that continues draws what it would have drawn.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.augment import augment
from training.cache import WHITE_LEVEL, CachedPatient

TUMOR_SHARE = 0.55  # of the slices drawn; the rest comes from all other slices
STRIPPED_SHARE = 0.35  # shown without skull, since hospitals send both
ALONE_SHARE = 0.1  # shown between copies of themselves, as a single picture is


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
        around = _neighbours(len(patient.slices), middle, patient.step, random)
        image = patient.slices[around].astype(np.float32) / np.float32(WHITE_LEVEL)
        if random.random() < STRIPPED_SHARE:
            image *= patient.brain[around] * np.float32(patient.gain)
        return image, patient.mask[middle][None].astype(np.float32)


def _neighbours(
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
