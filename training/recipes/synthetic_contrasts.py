"""Axial slices drawn tissue by tissue, each with a brightness of its own: FLAIR, or what is not.

The tissues are the maps of the ICBM 152 average brain (Fonov et al., NeuroImage 2011), cut into
slices on the network's grid and kept in tissues.npz; drawing them in random contrasts is the
idea of SynthSeg (Billot et al., Medical Image Analysis 2023).
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Tissues:
    """grey, white: float32 (n, rows, columns), share of each voxel; brain: bool, same shape."""

    grey: Picture
    white: Picture
    brain: NDArray[np.bool_]


@dataclass(frozen=True)
class Contrast:
    """How bright each tissue is, in any unit. bone: the brightest that it can be."""

    fluid: float
    white: float
    grey: float
    lesion: float
    bone: float = 0.3


@cache
def tissues() -> Tissues:
    """The average brain, read once."""
    with (
        resources.as_file(resources.files("training") / "tissues.npz") as path,
        np.load(path, allow_pickle=False) as store,
    ):
        grey, white = (store[name].astype(np.float32) / 255 for name in ("grey", "white"))
        brain = np.unpackbits(store["brain"], count=grey.size).reshape(grey.shape).astype(bool)
    return Tissues(grey, white, brain)


def flair_contrast(chance: np.random.Generator) -> Contrast:
    """Fluid is dark, grey as bright as white or brighter, a lesion brighter than both."""
    white = 1.0
    return Contrast(
        chance.uniform(0, 0.5), white, chance.uniform(1.0, 1.9), chance.uniform(1.3, 3.0)
    )


def other_contrast(chance: np.random.Generator) -> Contrast:
    """That of T1, T2, proton density, blood flow, CT, or any that is not FLAIR's."""
    kind = int(chance.choice(6, p=[0.25, 0.2, 0.15, 0.1, 0.1, 0.2]))
    if kind == 0:
        grey = chance.uniform(0.5, 0.88)
        return Contrast(chance.uniform(0, 0.9 * grey), 1.0, grey, chance.uniform(0.4, 2.0))
    if kind == 1:
        return Contrast(
            chance.uniform(1.6, 4.0), 1.0, chance.uniform(1.1, 1.8), chance.uniform(1.4, 3.0)
        )
    if kind == 2:
        return Contrast(chance.uniform(0.8, 1.4), 1.0, chance.uniform(1.0, 1.3), 1.2)
    if kind == 3:  # blood flow: of grey matter alone, nearly
        return Contrast(chance.uniform(0, 0.5), 1.0, chance.uniform(2.2, 4.0), 1.0)
    if kind == 4:
        lesion, bone = chance.uniform(0.8, 1.3), chance.uniform(1.8, 4.0)
        return Contrast(chance.uniform(0.5, 0.95), 1.0, chance.uniform(1.02, 1.2), lesion, bone)
    while True:
        fluid, white, grey, lesion = np.exp(chance.uniform(-1.6, 1.1, 4))
        if fluid > 0.8 * white or grey < 0.88 * white:
            return Contrast(float(fluid), float(white), float(grey), float(lesion))


def draw_slice(contrast: Contrast, chance: np.random.Generator) -> Picture:
    """One slice (rows, columns) of the average brain, bent at random, with or without a skull."""
    average = tissues()
    k = int(chance.integers(len(average.grey)))
    bend = _bend(average.brain.shape[1:], chance)
    grey, white = (_bent(part[k], bend) for part in (average.grey, average.white))
    brain = _bent(average.brain[k].astype(np.float32), bend) > 0.5
    fluid = np.clip(1 - grey - white, 0, 1)
    made = fluid * contrast.fluid + white * contrast.white + grey * contrast.grey
    if chance.random() < 0.5:
        spot = _spot(brain.shape, chance)[..., None] * [1, contrast.lesion]
        made = made * (1 - spot[..., 0]) + spot[..., 1]
    made += ndimage.gaussian_filter(chance.normal(0, 1, brain.shape), 1) * chance.uniform(0, 0.1)
    made = np.where(brain, made, 0)
    if chance.random() < 0.6:
        made += _skull(brain, contrast.bone, chance)
    return ndimage.gaussian_filter(made, chance.uniform(0.2, 0.9)).astype(np.float32)


def _bend(shape: tuple[int, ...], chance: np.random.Generator) -> NDArray[np.float64]:
    """Where each pixel comes from: (2, rows, columns), up to some pixels away."""
    away = [
        ndimage.gaussian_filter(chance.normal(0, 1, shape), 12) * chance.uniform(0, 120)
        for _ in range(2)
    ]
    bend: NDArray[np.float64] = np.indices(shape).astype(np.float64) + np.stack(away)
    return bend


def _bent(part: Picture, bend: NDArray[np.float64]) -> Picture:
    return np.asarray(ndimage.map_coordinates(part, bend, order=1), np.float32)


def _spot(shape: tuple[int, ...], chance: np.random.Generator) -> Picture:
    """Share of a round lesion somewhere in the middle, with a soft rim."""
    y, x = np.indices(shape)
    row, column = (length * chance.uniform(0.25, 0.75) for length in shape)
    far = np.hypot(y - row, (x - column) * chance.uniform(0.6, 1.6))
    inside = np.clip((chance.uniform(4, 22) - far) / chance.uniform(1, 6), 0, 1)
    return np.asarray(inside, np.float32)


def _skull(brain: NDArray[np.bool_], brightest: float, chance: np.random.Generator) -> Picture:
    """Bone around the brain, then bright fat and darker skin."""
    away = ndimage.distance_transform_edt(~brain)
    bone = chance.uniform(2, 6)
    fat = bone + chance.uniform(2, 6)
    made = np.where((away > bone) & (away <= fat), chance.uniform(0.3, 3.0), 0)
    lit = chance.uniform(max(0, brightest - 1), brightest)
    made += np.where((away > 0) & (away <= bone), lit, 0)
    return np.asarray(made + np.where((away > fat) & (away <= fat + 2), 0.5, 0), np.float32)
