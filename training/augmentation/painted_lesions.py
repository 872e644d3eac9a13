"""Lesions of multiple sclerosis, of true shape and place, painted onto heads: they are no tumor."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from training.augmentation.transforms import Picture, widened
from training.cache import CachedPatient

LESIONS = "lesions"  # first part of their names in a cache file
TISSUE = (0.12, 0.6)  # brightness of what is painted on; the head's median is 0.25
APART = 13  # pixels, the width of a square around tumor that nothing is painted in


@dataclass(frozen=True)
class Lesions:
    """One person's drawn lesions. drawn: uint8 0/1 (i, j, k) along R, A, S at 1 mm; corner: MNI mm
    of the first voxel, (3,)."""

    patient: str
    drawn: NDArray[np.uint8]
    corner: NDArray[np.float64]

    @property
    def person(self) -> str:
        """Who it is among the persons of the folds: the numbers are those of openms_cross."""
        return f"openms_cross_{self.patient.removeprefix('patient')}"


def load_lesions(path: Path, aside: frozenset[str] = frozenset()) -> list[Lesions]:
    """All of a cache file but those of the persons put aside."""
    with np.load(path, allow_pickle=False) as store:
        names = sorted({n.split("/")[1] for n in store.files if n.startswith(f"{LESIONS}/")})
        loaded = [
            Lesions(n, store[f"{LESIONS}/{n}/drawn"], store[f"{LESIONS}/{n}/corner"]) for n in names
        ]
    return [lesions for lesions in loaded if lesions.person not in aside]


def paint(
    image: Picture,
    around: NDArray[np.int64],
    patient: CachedPatient,
    lesions: Lesions,
    random: np.random.Generator,
) -> Picture:
    """Slices (3, rows, columns) with lesions that are brighter than the tissue around.

    around: indices of the three slices, the middle one is that whose tumor is kept clear. The
    lesions are mirrored, shifted and scaled by chance; nothing is painted on a head whose place
    in MNI space is not known.
    """
    if patient.to_mni is None or not np.isfinite(patient.to_mni).all():
        return image
    share = _share_at(_loosened(patient.to_mni, random), around, image.shape, lesions)
    tumor = torch.from_numpy(patient.mask[around].max(axis=0)[None, None].astype(np.float32))
    near: Picture = widened(tumor, APART)[0, 0].numpy()
    tissue = (image > TISSUE[0]) & (image < TISSUE[1]) & (near == 0)
    strength = np.float32(random.uniform(0.25, 1.1))
    painted: Picture = image * (1 + strength * share * tissue)
    return painted


def _loosened(to_mni: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """The way to MNI space, mirrored by chance and a little off."""
    sizes = random.uniform(0.9, 1.1, 3)
    sizes[0] *= random.choice([-1.0, 1.0])
    loosened = sizes[:, None] * to_mni
    loosened[:, 3] += random.normal(0, 2.0, 3)
    return loosened


def _share_at(
    to_mni: NDArray[np.float64],
    around: NDArray[np.int64],
    shape: tuple[int, ...],
    lesions: Lesions,
) -> Picture:
    """How much of a lesion is at each pixel of these slices: float32, of `shape`, 0 to 1."""
    k, row, column = (to_mni[:, n] for n in range(3))
    rows, columns = np.arange(shape[1])[:, None, None], np.arange(shape[2])[:, None]
    start = to_mni[:, 3] - lesions.corner + around[:, None, None, None] * k
    index = start + rows * row + columns * column
    last = np.maximum(np.array(lesions.drawn.shape) - 1, 1)
    grid = torch.from_numpy((2 * index / last - 1)[None, ..., ::-1].astype(np.float32))
    volume = torch.from_numpy(lesions.drawn.astype(np.float32))[None, None]
    share: Picture = functional.grid_sample(volume, grid, align_corners=True)[0, 0].numpy()
    return share
