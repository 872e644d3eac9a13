"""A batch changed at random: place, size, brightness, blur, noise, another scanner's contrast.

All randomness comes from the generator that is handed in: the same generator, the same batch.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import functional

from model.intensity import HEAD_LEVEL, WHITE

Picture = NDArray[np.float32]

KNOTS = np.array([0, 0.05, 0.1, 0.17, 0.22, 0.27, 0.33, 0.45, 0.7, 1.0])  # brightness, of 1
HEAD = 0.25  # the head's median, which stays where it is


def augment(
    images: Tensor, masks: Tensor, generator: Generator, islands: float = 0.2
) -> tuple[Tensor, Tensor]:
    """images (b, c, h, w) in [0, 1], masks (b, 1, h, w) in {0, 1}: the same shapes, changed.

    islands: share of the pictures that get bright islands that are no tumor.
    """
    images = _islands(images, masks, islands, generator)
    images, masks = _move(images, masks, generator)
    images = _bias_field(images, generator)
    images = _contrast(images, generator)
    images = _blur(images, generator)
    images = _noise(images, generator)
    images, masks = _cut_corner(images, masks, generator)
    return images.clamp(0, 1), (masks > 0.5).float()


def _uniform(size: int, low: float, high: float, generator: Generator) -> Tensor:
    return low + (high - low) * torch.rand(size, generator=generator)


def _chosen(size: int, probability: float, generator: Generator) -> Tensor:
    """(size, 1, 1, 1) of 0 and 1, to mix changed and unchanged pictures."""
    return (torch.rand(size, 1, 1, 1, generator=generator) < probability).float()


def _move(images: Tensor, masks: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Turn to 20 degrees, scale 0.72 to 1.2, stretch, shift a tenth, mirror left and right.

    The range of scales reaches down because hospitals' heads are smaller on the grid in mm
    than those of the training set, whose nominal 1 mm voxels are really about 0.9 mm.
    """
    b, _, h, w = images.shape
    angle = _uniform(b, -math.radians(20), math.radians(20), generator)
    size = _uniform(b, 0.72, 1.2, generator)
    stretch = _uniform(b, 0.92, 1.08, generator)
    mirror = torch.where(torch.rand(b, generator=generator) < 0.5, -1.0, 1.0)
    theta = torch.zeros(b, 2, 3)
    theta[:, 0, 0] = torch.cos(angle) / (size * stretch) * mirror
    theta[:, 0, 1] = -torch.sin(angle) / size * h / w
    theta[:, 1, 0] = torch.sin(angle) / size * w / h * mirror
    theta[:, 1, 1] = torch.cos(angle) / (size / stretch)
    theta[:, :, 2] = 0.2 * torch.rand(b, 2, generator=generator) - 0.1
    grid = functional.affine_grid(theta, [b, 1, h, w], align_corners=False).to(images)
    both = functional.grid_sample(torch.cat([images, masks], 1), grid, align_corners=False)
    return both[:, :-1], both[:, -1:]


def _islands(images: Tensor, masks: Tensor, share: float, generator: Generator) -> Tensor:
    """A share of the pictures gets bright islands in its tissue that are no tumor.

    They stand for the white-matter lesions of small vessels and multiple sclerosis: some mm
    wide, away from the tumor, in a part of the brain, and fading in the slices beside it.
    """
    b, c, h, w = images.shape
    cell = int(torch.randint(3, 9, (1,), generator=generator))  # pixels: width of an island
    field = torch.randn(b, 1, h // cell + 2, w // cell + 2, generator=generator)
    field = functional.interpolate(field, (h, w), mode="bicubic", align_corners=False)
    rare = _uniform(b, 1.3, 2.2, generator).view(b, 1, 1, 1)
    region = torch.rand(b, 1, 3, 3, generator=generator)
    region = functional.interpolate(region, (h, w), mode="bilinear", align_corners=False) > 0.4
    strength = _uniform(b, 0.3, 1.2, generator).view(b, 1, 1, 1) * _chosen(b, share, generator)
    depth = torch.rand(b, c, 1, 1, generator=generator)
    depth[:, c // 2] = 1
    some = strength.flatten().nonzero()[:, 0]  # most pictures get none: nothing to work out
    tissue = _deep_tissue(images[some, c // 2 : c // 2 + 1]) & ~(widened(masks[some], 15) > 0)
    islands = (4 * (field[some] - rare[some])).clamp(0, 1) * (region[some] & tissue)
    fading = functional.avg_pool2d(islands, 3, 1, 1) * strength[some] * depth[some]
    images = images.clone()
    images[some] *= 1 + fading
    return images


def _deep_tissue(middle: Tensor) -> Tensor:
    """Where all around is neither dark nor bright: bool, (b, 1, h, w) as given."""
    tissue = functional.avg_pool2d(((middle > 0.15) & (middle < 0.45)).float(), 5, 1, 2)
    return -widened(-tissue, 5) > 0.8


def widened(values: Tensor, width: int) -> Tensor:
    """The largest of each width x width places; rows, then columns: a fraction of the work."""
    rows = functional.max_pool2d(values, (width, 1), 1, (width // 2, 0))
    return functional.max_pool2d(rows, (1, width), 1, (0, width // 2))


def _bias_field(images: Tensor, generator: Generator) -> Tensor:
    """A smooth change of brightness across the picture, as a coil's sensitivity makes it."""
    b, _, h, w = images.shape
    coarse = 0.25 * torch.randn(b, 1, 3, 3, generator=generator) * _chosen(b, 0.4, generator)
    field = functional.interpolate(coarse, (h, w), mode="bicubic", align_corners=False)
    return images * field.exp().to(images)


def _contrast(images: Tensor, generator: Generator) -> Tensor:
    """Brightness by a factor, and gamma around the head's own level (a quarter of white)."""
    b = len(images)
    gain = _uniform(b, 0.75, 1.35, generator).view(b, 1, 1, 1).to(images)
    gamma = torch.exp(_uniform(b, -0.5, 0.5, generator)).view(b, 1, 1, 1).to(images)
    level = 0.25
    return gain * level * (images / level).clamp_min(1e-6).pow(gamma)


def _blur(images: Tensor, generator: Generator) -> Tensor:
    """A quarter of the pictures lose detail, as after a coarse acquisition or resampling."""
    b, _, h, w = images.shape
    factor = float(_uniform(1, 1.3, 2.2, generator))
    some = _chosen(b, 0.25, generator).flatten().nonzero()[:, 0]
    size = (round(h / factor), round(w / factor))
    small = functional.interpolate(images[some], size, mode="area")
    images = images.clone()
    images[some] = functional.interpolate(small, (h, w), mode="bilinear", align_corners=False)
    return images


def _noise(images: Tensor, generator: Generator) -> Tensor:
    b = len(images)
    strength = _uniform(b, 0, 0.03, generator).view(b, 1, 1, 1) * _chosen(b, 0.4, generator)
    noise = torch.randn(images.shape, generator=generator)
    return images + (strength * noise).to(images)


def _cut_corner(images: Tensor, masks: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """A tenth of the pictures lose a corner to black, as scans do that were turned into a box."""
    b, _, h, w = images.shape
    angle = _uniform(b, 0, 2 * math.pi, generator).view(b, 1, 1)
    depth = _uniform(b, 0.75, 1.1, generator).view(b, 1, 1)
    y = torch.linspace(-1, 1, h).view(1, h, 1)
    x = torch.linspace(-1, 1, w).view(1, 1, w)
    kept = (x * torch.cos(angle) + y * torch.sin(angle) < depth).unsqueeze(1).float()
    kept = torch.maximum(kept, 1 - _chosen(b, 0.1, generator)).to(images)
    return images * kept, masks * kept


def as_prepared(picture: Picture) -> Picture:
    """Brightness in multiples of the head's median, as `model.inference.preprocessing` makes it."""
    picture = np.maximum(picture, np.float32(0))
    head = picture > HEAD_LEVEL * np.percentile(picture, 99.5)
    level = float(np.median(picture[head])) if head.any() else 1.0
    prepared: Picture = np.clip(picture / np.float32(level * WHITE), 0, 1).astype(np.float32)
    return prepared


def other_scanner(image: Picture, random: np.random.Generator) -> Picture:
    """By a curve that keeps the order of brightness, but not the distances between tissues.

    image in [0, 1], any shape; the head's median stays where it is.
    """
    steps = np.diff(KNOTS) * np.exp(random.normal(0, 0.6, len(KNOTS) - 1))
    curve = np.concatenate([[0], np.cumsum(steps)])
    curve *= HEAD / np.interp(HEAD, KNOTS, curve)
    changed: Picture = np.interp(image, KNOTS, curve).clip(0, 1).astype(np.float32)
    return changed
