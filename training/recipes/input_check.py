"""The recipe of the input check: teaches what is an axial FLAIR of a head, and what is not.

No T1, T2 or spine can be had for training here, so they are imitated: other contrasts by remapping
the brightness of a FLAIR (training/recipes/synthetic_contrasts.py draws more of them), other views
by cutting the same heads along other planes, and no heads at all by noise, shapes and enlarged
pieces. How far real ones are told from FLAIR is measured on real ones (MODEL_CARD.md).
"""

from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from model.intensity import WHITE
from model.network.unet import InputCheckNet
from model.weights_config import CLASSES, STANDARD, InputCheckShape, InputClass
from training.augmentation.transforms import Picture, as_prepared, augment
from training.cache import WHITE_LEVEL, CachedPatient
from training.recipes.recipe import Method, adamw, annealed
from training.recipes.standard import STRIPPED_SHARE
from training.recipes.synthetic_contrasts import draw_slice, flair_contrast, other_contrast

STRIPPED = 0.4  # of the other views are shown without skull

# Tissues by their brightness in FLAIR, in multiples of the head's median.
TISSUES = (0.0, 0.35, 0.6, 0.9, 1.1, 1.35, 1.8, 4.0)
#          fluid ----  edge  white grey  bright lesion fat
T1_WEIGHTED = (0.25, 0.3, 0.6, 1.15, 0.85, 0.7, 0.6, 0.8)
T2_WEIGHTED = (3.0, 2.7, 1.8, 0.8, 1.15, 1.6, 2.1, 2.6)
PROTON_DENSITY = (1.1, 1.1, 1.0, 0.9, 1.15, 1.25, 1.3, 1.4)
DIFFUSIVITY = (3.2, 3.0, 2.0, 1.0, 1.0, 1.2, 1.5, 2.0)
KNOWN = (T1_WEIGHTED, T1_WEIGHTED, T2_WEIGHTED, T2_WEIGHTED, PROTON_DENSITY, DIFFUSIVITY)


def remapped(picture: Picture, brain: NDArray[np.bool_], chance: np.random.Generator) -> Picture:
    """A slice as another sequence might show it; picture in [0, 1], the same shape."""
    curve = _known_curve(chance) if chance.random() < 0.7 else _random_curve(chance)
    inside = np.interp(picture * WHITE, TISSUES, curve).astype(np.float32) / np.float32(WHITE)
    scalp = chance.choice([0.0, 0.3, 1.0, 1.0, 1.5])
    changed = np.where(brain, inside, picture * np.float32(scalp))
    if chance.random() < 0.4:  # echo-planar series are coarse
        changed = _coarser(changed, chance.uniform(1.5, 3.0))
    return as_prepared(changed + _grain(changed.shape, 0.01, chance))


def other_view(patient: CachedPatient, chance: np.random.Generator) -> Picture:
    """A head seen from the side, from the front, or lying turned in its picture."""
    kind = chance.integers(4)
    if kind == 3:
        return _turned(patient, chance)
    stack = patient.slices.astype(np.float32) / np.float32(WHITE_LEVEL)
    if chance.random() < STRIPPED:
        stack = stack * patient.brain
    _, rows, columns = stack.shape
    at = chance.uniform(0.3, 0.7)
    cut = stack[:, :, int(at * columns)] if kind else stack[:, int(at * rows), :]
    tall = chance.uniform(0.65, 0.95) * rows / len(cut)
    wide = chance.uniform(0.8, 1.0) * columns / rows if kind else 1.0
    view = ndimage.zoom(cut[::-1], (tall, wide), order=1)
    if chance.random() < 0.5:
        view = view[:, ::-1]
    return as_prepared(_placed(view, (rows, columns)))


def no_head(patient: CachedPatient, chance: np.random.Generator) -> Picture:
    """Noise, clouds, shapes, or a piece of a head so large that it cannot be told."""
    shape = patient.slices.shape[1:]
    kind = int(chance.integers(5))
    if kind == 0:
        made = np.abs(chance.normal(0.5, chance.uniform(0.05, 0.5), shape))
    elif kind == 1:
        made = _cloud(shape, chance.uniform(1, 16), chance)
    elif kind == 2:
        made = _shapes(shape, chance)
    elif kind == 3:
        made = _shapes(shape, chance) * (0.5 + _cloud(shape, chance.uniform(2, 10), chance))
    else:
        made = _enlarged(patient, chance)
    return as_prepared(made.astype(np.float32) + _grain(shape, 0.02, chance))


def _known_curve(chance: np.random.Generator) -> Picture:
    curve = np.array(KNOWN[int(chance.integers(len(KNOWN)))])
    return np.asarray(curve * np.exp(chance.normal(0, 0.1, curve.size)), np.float32)


def _random_curve(chance: np.random.Generator) -> Picture:
    """Any contrast but FLAIR's: there fluid is dark, and grey is as bright as white, or more."""
    while True:
        curve = np.exp(chance.uniform(-1.6, 1.1, len(TISSUES)))
        fluid, white, grey = curve[0], curve[3], curve[4]
        if fluid > 0.8 * white or grey < 0.92 * white:
            return np.asarray(curve, np.float32)


def _turned(patient: CachedPatient, chance: np.random.Generator) -> Picture:
    """An axial slice on its side or upside down."""
    picture = patient.slices[middle_slice(patient, chance)].astype(np.float32) / WHITE_LEVEL
    turned = np.rot90(picture, int(chance.integers(1, 4)))
    return as_prepared(_placed(turned, picture.shape).astype(np.float32))


def middle_slice(patient: CachedPatient, chance: np.random.Generator) -> int:
    """A slice from the middle of the head, where it looks like one: its index."""
    filled = np.flatnonzero(patient.slices.any(axis=(1, 2)))
    low, high = filled[int(0.25 * len(filled))], filled[int(0.85 * (len(filled) - 1))]
    return int(chance.integers(low, high + 1))


def _enlarged(patient: CachedPatient, chance: np.random.Generator) -> Picture:
    picture = patient.slices[middle_slice(patient, chance)].astype(np.float32) / WHITE_LEVEL
    factor = chance.uniform(3, 6)
    rows, columns = (int(length / factor) for length in picture.shape)
    row = int(chance.integers(picture.shape[0] // 4, 3 * picture.shape[0] // 4 - rows + 1))
    column = int(chance.integers(picture.shape[1] // 4, 3 * picture.shape[1] // 4 - columns + 1))
    piece = picture[row : row + rows, column : column + columns]
    return _placed(ndimage.zoom(piece, factor, order=1), picture.shape)


def _shapes(shape: tuple[int, ...], chance: np.random.Generator) -> Picture:
    """One to seven ellipses and boxes of their own brightness, as phantoms and limbs show."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    made = np.zeros(shape, np.float32)
    for _ in range(int(chance.integers(1, 8))):
        angle = chance.uniform(0, np.pi)
        dx, dy = x - chance.uniform(-0.6, 0.6), y - chance.uniform(-0.6, 0.6)
        across = (dx * np.cos(angle) + dy * np.sin(angle)) / chance.uniform(0.1, 0.9)
        along = (dy * np.cos(angle) - dx * np.sin(angle)) / chance.uniform(0.1, 0.9)
        is_box = chance.random() < 0.3
        inside = np.maximum(abs(across), abs(along)) < 1 if is_box else across**2 + along**2 < 1
        made[inside] = chance.uniform(0, 1)
    return made


def _cloud(shape: tuple[int, ...], size: float, chance: np.random.Generator) -> Picture:
    field = ndimage.gaussian_filter(chance.normal(size=shape), size)
    low, high = field.min(), field.max()
    return np.asarray((field - low) / (high - low), np.float32)


def _coarser(picture: Picture, factor: float) -> Picture:
    small = ndimage.zoom(picture, 1 / factor, order=1)
    back = [after / before for after, before in zip(picture.shape, small.shape, strict=True)]
    return np.asarray(ndimage.zoom(small, back, order=1), np.float32)


def _grain(shape: tuple[int, ...], strength: float, chance: np.random.Generator) -> Picture:
    return chance.normal(0, strength * chance.random(), shape).astype(np.float32)


def _placed(picture: Picture, shape: tuple[int, ...]) -> Picture:
    """The picture in the middle of an empty one of this shape, cut where it is larger."""
    made = np.zeros(shape, np.float32)
    here, there = [], []
    for length, window in zip(picture.shape, shape, strict=True):
        spare = window - length
        here.append(slice(max(0, spare // 2), max(0, spare // 2) + min(length, window)))
        there.append(slice(max(0, -spare // 2), max(0, -spare // 2) + min(length, window)))
    made[here[0], here[1]] = picture[there[0], there[1]]
    return made


SHARES = {
    InputClass.FLAIR: 0.4,
    InputClass.CONTRAST: 0.26,
    InputClass.VIEW: 0.17,
    InputClass.NO_HEAD: 0.17,
}
DRAWN = {
    InputClass.FLAIR: 0.25,
    InputClass.CONTRAST: 0.6,
}  # share of these that is drawn tissue by tissue
CHECKED = 256  # pictures of the validation patients


@dataclass(frozen=True)
class InputCheckPlan:
    """The numbers of the recipe."""

    batch: int = 32
    steps: int = 3000
    rate: float = 2e-3
    seed: int = 7
    average: float = 0.99
    check_every: int = 500


def input_check_method(
    plan: InputCheckPlan, train: list[CachedPatient], validation: list[CachedPatient]
) -> Method:
    """The recipe for these patients, prepared as for the `standard` recipe."""

    shape = InputCheckShape()
    return Method(
        shape=shape,
        build=partial(InputCheckNet, shape),
        preparation=STANDARD,
        batch=plan.batch,
        steps=plan.steps,
        check_every=plan.check_every,
        average=plan.average,
        optimizer=adamw(plan.rate, 1e-2),
        rate=annealed(plan.rate),
        loss=functional.cross_entropy,
        draw=lambda step, share: draw(train, plan.batch, (plan.seed, step)),
        score=lambda net: accuracy(net, validation),
        keep_last=True,
        figures={"recipe": "gate", **asdict(plan)},
    )


def draw(patients: list[CachedPatient], size: int, seed: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Pictures (size, 1, h, w) in [0, 1] and their classes (size,), numbers into CLASSES."""
    chance = np.random.default_rng(seed)
    classes = chance.choice(len(CLASSES), size, p=[SHARES[seen] for seen in CLASSES])
    pictures = [_picture(CLASSES[number], patients, chance) for number in classes]
    images = torch.from_numpy(np.stack(pictures)[:, None])
    generator = torch.Generator().manual_seed(int(chance.integers(2**62)))
    images = _smear(images, generator)
    images, _ = augment(images, torch.zeros_like(images), generator)
    return images, torch.from_numpy(classes)


def accuracy(net: nn.Module, patients: list[CachedPatient]) -> float:
    """Share of right answers on pictures of these patients; nan without any."""
    if not patients:
        return float("nan")
    images, classes = draw(patients, CHECKED, (0,))
    device = next(net.parameters()).device
    with torch.inference_mode():
        found = net(images.to(device)).argmax(1).cpu()
    return float((found == classes).float().mean())


def _picture(
    seen: InputClass, patients: list[CachedPatient], chance: np.random.Generator
) -> Picture:
    patient = patients[int(chance.integers(len(patients)))]
    if seen is InputClass.NO_HEAD:
        return no_head(patient, chance)
    if seen is InputClass.VIEW:
        return other_view(patient, chance)
    k = middle_slice(patient, chance)
    if chance.random() < DRAWN[seen]:
        contrast = flair_contrast if seen is InputClass.FLAIR else other_contrast
        return as_prepared(draw_slice(contrast(chance), chance))
    picture = patient.slices[k].astype(np.float32) / np.float32(WHITE_LEVEL)
    if seen is InputClass.CONTRAST:
        picture = remapped(picture, patient.brain[k], chance)
    if chance.random() < STRIPPED_SHARE:
        return as_prepared(picture * patient.brain[k])
    return np.asarray(picture, np.float32)


def _smear(images: Tensor, generator: torch.Generator) -> Tensor:
    """A quarter loses detail along one direction, so that this tells nothing of the view."""
    b, _, h, w = images.shape
    factor = float(2 + 4 * torch.rand(1, generator=generator))
    along = bool(torch.rand(1, generator=generator) < 0.5)
    size = (round(h / factor), w) if along else (h, round(w / factor))
    soft = functional.interpolate(images, size, mode="area")
    soft = functional.interpolate(soft, (h, w), mode="bilinear", align_corners=False)
    chosen = (torch.rand(b, 1, 1, 1, generator=generator) < 0.25).float()
    return chosen * soft + (1 - chosen) * images
