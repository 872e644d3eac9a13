"""The `gate` recipe: teaches model/gate.py what is an axial FLAIR of a head, and what is not."""

from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.framing import STANDARD
from model.gate import CLASSES, GateShape
from model.gate_net import GateNet
from model.seen import Seen
from training.annealing import adamw, annealed
from training.augment import augment
from training.batches import STRIPPED_SHARE
from training.cache import WHITE_LEVEL, CachedPatient
from training.impostors import (
    Picture,
    as_prepared,
    middle_slice,
    no_head,
    other_view,
    remapped,
)
from training.method import Method
from training.tissues import draw_slice, flair_contrast, other_contrast

SHARES = {Seen.FLAIR: 0.4, Seen.CONTRAST: 0.26, Seen.VIEW: 0.17, Seen.NO_HEAD: 0.17}
DRAWN = {Seen.FLAIR: 0.25, Seen.CONTRAST: 0.6}  # share of these that is drawn tissue by tissue
CHECKED = 256  # pictures of the validation patients


@dataclass(frozen=True)
class GatePlan:
    """The numbers of the recipe."""

    batch: int = 32
    steps: int = 3000
    rate: float = 2e-3
    seed: int = 7
    average: float = 0.99
    check_every: int = 500


def gate_method(
    plan: GatePlan, train: list[CachedPatient], validation: list[CachedPatient]
) -> Method:
    """The recipe for these patients, prepared as for the `standard` recipe."""

    shape = GateShape()
    return Method(
        shape=shape,
        build=partial(GateNet, shape),
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


def _picture(seen: Seen, patients: list[CachedPatient], chance: np.random.Generator) -> Picture:
    patient = patients[int(chance.integers(len(patients)))]
    if seen is Seen.NO_HEAD:
        return no_head(patient, chance)
    if seen is Seen.VIEW:
        return other_view(patient, chance)
    k = middle_slice(patient, chance)
    if chance.random() < DRAWN[seen]:
        contrast = flair_contrast if seen is Seen.FLAIR else other_contrast
        return as_prepared(draw_slice(contrast(chance), chance))
    picture = patient.slices[k].astype(np.float32) / np.float32(WHITE_LEVEL)
    if seen is Seen.CONTRAST:
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
