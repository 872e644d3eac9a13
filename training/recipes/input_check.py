"""The recipe of the input check: teaches what is an axial FLAIR of a head, and what is not.

It learns by the frozen folds, from the file that training/mixed_cache.py makes for it: heads with
and without skull, with tumor and without, and the few other sequences and parts of the body that
are there. The rest is imitated: other contrasts by remapping the brightness of a FLAIR or drawn
tissue by tissue (training/recipes/synthetic_contrasts.py), other views by cutting the same heads
along other planes, and no heads at all by noise, shapes and enlarged pieces. Some of all are shown
as pictures that people upload, some as by another scanner, and of some a part is cut off.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from model.intensity import WHITE
from model.network.unet import InputCheckNet, fill
from model.network.weights_file import read_safetensors
from model.weights_config import CLASSES, STANDARD, InputCheckShape, InputClass
from training.augmentation.transforms import Picture, as_prepared, augment, other_scanner
from training.augmentation.uploaded_pictures import as_picture
from training.cache import WHITE_LEVEL, CachedPatient, load_cache, load_drawn
from training.datasets import Split
from training.folds import KINDS, LEARNED, read_folds
from training.recipes.recipe import Method, adamw, annealed
from training.recipes.standard import STRIPPED_SHARE

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
    """A head seen from the side or from the front."""
    kind = chance.integers(3)
    _, rows, columns = patient.slices.shape
    at = chance.uniform(0.3, 0.7)
    plane = np.s_[:, :, int(at * columns)] if kind else np.s_[:, int(at * rows), :]
    cut = patient.slices[plane].astype(np.float32) / np.float32(WHITE_LEVEL)
    if chance.random() < STRIPPED:
        cut = cut * patient.brain[plane]
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


def turned(picture: Picture, chance: np.random.Generator) -> Picture:
    """A slice on its side or upside down, in a window as before."""
    if chance.random() < 0.25:
        return picture[::-1]
    other = np.rot90(picture, int(chance.integers(1, 4)))
    return _placed(other, picture.shape)


MIDDLE = (0.12, 0.92)  # of the slices with a head: half a field of view has its middle there


def middle_slice(patient: CachedPatient, chance: np.random.Generator) -> int:
    """A slice that shows enough of the head to be told: its index."""
    filled = np.flatnonzero(patient.slices.any(axis=(1, 2)))
    low, high = (filled[int(share * (len(filled) - 1))] for share in MIDDLE)
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
    InputClass.CONTRAST: 0.29,
    InputClass.VIEW: 0.11,
    InputClass.NO_HEAD: 0.13,
    InputClass.TURNED: 0.07,
}
HEADS = (0.4, 0.3, 0.3)  # of the FLAIR slices, by the kinds of LEARNED
REAL = 0.4  # of what is another sequence, and DRAWN what is drawn; the rest is remapped
DRAWN = {InputClass.FLAIR: 0.15, InputClass.CONTRAST: 0.35}
REAL_NO_HEAD = 0.15
AS_PICTURE = 0.35  # of all are shown as people upload them
SCANNER = 0.3  # of the real ones as by another scanner
PARTIAL = 0.12  # lack a part
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


# For an input check that knows something already.
FURTHER_PLAN = InputCheckPlan(steps=4000, rate=1e-3, check_every=500)


@dataclass(frozen=True)
class Shown:
    """All that slices are drawn from. heads: FLAIR, by the kinds of LEARNED; others: by what they
    are; drawn: uint8 (n, rows, columns), likewise."""

    heads: tuple[list[CachedPatient], ...]
    others: dict[InputClass, list[CachedPatient]]
    drawn: dict[InputClass, NDArray[np.uint8]]

    @staticmethod
    def of(
        patients: Sequence[CachedPatient], drawn: dict[InputClass, NDArray[np.uint8]]
    ) -> "Shown":
        """The same, sorted."""
        heads = tuple([p for p in patients if p.kind == kind] for kind in LEARNED)
        kinds = (InputClass.CONTRAST, InputClass.NO_HEAD)
        return Shown(heads, {k: [p for p in patients if p.kind == k] for k in kinds}, drawn)

    def head(self, chance: np.random.Generator) -> CachedPatient:
        """One of the FLAIR heads."""
        shares = np.array(
            [share * bool(kind) for share, kind in zip(HEADS, self.heads, strict=True)]
        )
        kind = self.heads[int(chance.choice(len(HEADS), p=shares / shares.sum()))]
        return kind[int(chance.integers(len(kind)))]


def input_check_fold(
    cache: Path, fold: int, seed: int = InputCheckPlan.seed, further: bool = False
) -> tuple[Split, Method]:
    """Who learns when that fold is put aside (0: nobody is), and the recipe for them.

    further: the run goes on from a trained input check.

    Raises KeyError when a scan is not in the cache.
    """
    split = read_folds().split(fold, KINDS)
    drawn = {seen: load_drawn(cache, seen) for seen in DRAWN}
    train, aside = (
        Shown.of(load_cache(cache, names), drawn) for names in (split.train, split.validation)
    )
    plan = replace(FURTHER_PLAN if further else InputCheckPlan(), seed=seed)
    return split, input_check_method(plan, train, aside if fold else None)


def known_input_check(path: Path) -> nn.Module:
    """A trained input check to go on from; classes that it does not know yet begin as VIEW.

    Raises what hostile bytes cause.
    """
    header, tensors = read_safetensors(path)
    like = CLASSES.index(InputClass.VIEW)
    for name in ("head.weight", "head.bias"):
        rows = tensors[name]
        new = [rows[like : like + 1]] * (len(CLASSES) - len(rows))
        tensors[name] = np.concatenate([rows, *new])
    net = InputCheckNet(InputCheckShape(**json.loads(header["shape"])))
    fill(net, tensors)
    return net


def input_check_method(plan: InputCheckPlan, train: Shown, validation: Shown | None) -> Method:
    """The recipe for these scans."""

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
        bfloat16=True,
    )


def draw(shown: Shown, size: int, seed: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Pictures (size, 1, h, w) in [0, 1] and their classes (size,), numbers into CLASSES.

    They are changed on half their rows and columns, which is all that the network looks at.
    """
    chance = np.random.default_rng(seed)
    classes = chance.choice(len(CLASSES), size, p=[SHARES[seen] for seen in CLASSES])
    pictures = [_picture(CLASSES[number], shown, chance) for number in classes]
    images = functional.avg_pool2d(torch.from_numpy(np.stack(pictures)[:, None]), 2)
    generator = torch.Generator().manual_seed(int(chance.integers(2**62)))
    images = _smear(images, generator)
    images, _ = augment(images, torch.zeros_like(images), generator)
    return functional.interpolate(images, scale_factor=2.0), torch.from_numpy(classes)


def accuracy(net: nn.Module, shown: Shown | None) -> float:
    """Share of right answers on pictures of these scans; nan without any."""
    if shown is None:
        return float("nan")
    images, classes = draw(shown, CHECKED, (0,))
    device = next(net.parameters()).device
    with torch.inference_mode():
        found = net(images.to(device)).argmax(1).cpu()
    return float((found == classes).float().mean())


def _picture(seen: InputClass, shown: Shown, chance: np.random.Generator) -> Picture:
    picture = _slice(seen, shown, chance)
    if chance.random() < PARTIAL:
        picture = _cut(picture, chance)
    if seen is InputClass.TURNED:
        picture = turned(picture, chance)
    if chance.random() < AS_PICTURE:
        # FLAIR stands upright here: what lies or stands on its head is a class of its own
        upright = seen in (InputClass.FLAIR, InputClass.TURNED)
        picture, _ = as_picture(picture, np.zeros_like(picture), chance, upright)
    return np.ascontiguousarray(picture, np.float32)


def _slice(seen: InputClass, shown: Shown, chance: np.random.Generator) -> Picture:
    others = shown.others.get(seen, [])
    if others and chance.random() < (REAL_NO_HEAD if seen is InputClass.NO_HEAD else REAL):
        return _real(others[int(chance.integers(len(others)))], chance)
    head = shown.head(chance)
    if seen is InputClass.NO_HEAD:
        return no_head(head, chance)
    if seen is InputClass.VIEW:
        return other_view(head, chance)
    if seen in DRAWN and chance.random() < DRAWN[seen] / (1 - REAL * bool(others)):
        drawn = shown.drawn[seen]
        picture = drawn[int(chance.integers(len(drawn)))].astype(np.float32) / WHITE_LEVEL
        return _coarser(picture, chance.uniform(1.5, 3)) if chance.random() < 0.2 else picture
    if seen is not InputClass.CONTRAST:
        return _real(head, chance)
    k = middle_slice(head, chance)
    picture = head.slices[k].astype(np.float32) / np.float32(WHITE_LEVEL)
    picture = remapped(picture, head.brain[k], chance)
    return as_prepared(picture * head.brain[k]) if chance.random() < STRIPPED_SHARE else picture


def _real(patient: CachedPatient, chance: np.random.Generator) -> Picture:
    """A slice as it is, or stripped, or as by another scanner."""
    k = middle_slice(patient, chance)
    picture = patient.slices[k].astype(np.float32) / np.float32(WHITE_LEVEL)
    if chance.random() < STRIPPED_SHARE:
        picture = (picture * patient.brain[k] * np.float32(patient.gain)).clip(0, 1)
    return other_scanner(picture, chance) if chance.random() < SCANNER else picture


def _cut(picture: Picture, chance: np.random.Generator) -> Picture:
    """Up to half of it is missing from one side, and what is left stands in the middle."""
    axis, share = int(chance.integers(2)), chance.uniform(0.5, 0.9)
    lit = np.flatnonzero(picture.max(axis=1 - axis) > 0.05)
    if lit.size < 2:
        return picture
    kept = max(1, int(share * lit.size))
    part = lit[:kept] if chance.random() < 0.5 else lit[-kept:]
    return _placed(np.take(picture, part, axis=axis), picture.shape)


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
