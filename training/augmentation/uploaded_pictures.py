"""Slices as people upload them: cut out of a scan, framed, lettered, turned, compressed as JPEG.

What `model.inference.preprocessing` makes of a picture is imitated too: the head fills the window,
and its brightness is told from this one slice.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from model.intensity import HEAD_LEVEL
from model.weights_config import PICTURE_FILL
from training.augmentation.transforms import Picture, as_prepared

LYING, OVER = 0.15, 0.1  # shares of the pictures that lie on their side, or stand on their head
FRAMED, LETTERED, COMPRESSED = 0.3, 0.25, 0.8
BLOCK = 8  # pixels of JPEG's squares

Mask = NDArray[np.float32]

# The quantisation of brightness in JPEG's standard (ITU-T T.81, table K.1).
TABLE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)


def as_picture(
    picture: Picture, mask: Mask, random: np.random.Generator, upright: bool = False
) -> tuple[Picture, Mask]:
    """A slice and its tumor, float32 (rows, columns) each, as an uploaded picture is prepared.

    upright: as it is given; else some lie on their side or stand on their head.
    """
    shape = picture.shape
    rotated = (picture, mask) if upright else _rotated(picture, mask, random)
    picture, mask = _fitted(*_framed(*rotated, random), shape)
    if random.random() < LETTERED:
        picture = _lettered(picture, random)
    if random.random() < COMPRESSED:
        picture = compressed(picture, float(random.uniform(30, 95)))
    return as_prepared(picture), mask


def compressed(picture: Picture, quality: float) -> Picture:
    """As JPEG of this quality (1 to 100) leaves it; sides are multiples of BLOCK."""
    white = max(float(np.percentile(picture, 99.8)), 1e-3)
    rows, columns = (length // BLOCK for length in picture.shape)
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    table = np.maximum(TABLE * np.float32(scale), 1)
    grey = np.clip(picture / np.float32(white), 0, 1) * np.float32(255) - np.float32(128)
    blocks = grey.reshape(rows, BLOCK, columns, BLOCK).transpose(0, 2, 1, 3)
    waves = np.round(COSINES @ blocks @ COSINES.T / table) * table
    back = (COSINES.T @ waves @ COSINES).transpose(0, 2, 1, 3).reshape(picture.shape)
    found: Picture = np.clip((back + 128) / 255, 0, 1).astype(np.float32) * np.float32(white)
    return found


def _cosines() -> NDArray[np.float32]:
    """The cosine transform of BLOCK values, orthonormal: (BLOCK, BLOCK)."""
    wave, place = np.mgrid[:BLOCK, :BLOCK]
    table = np.cos(np.pi * (2 * place + 1) * wave / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    table[0] = np.sqrt(1 / BLOCK)
    return np.asarray(table, np.float32)


COSINES = _cosines()


def _rotated(picture: Picture, mask: Mask, random: np.random.Generator) -> tuple[Picture, Mask]:
    if random.random() < OVER:
        picture, mask = picture[::-1], mask[::-1]
    if random.random() < LYING:
        turns = int(random.choice([1, 3]))
        picture, mask = np.rot90(picture, turns), np.rot90(mask, turns)
    return picture, mask


def _framed(picture: Picture, mask: Mask, random: np.random.Generator) -> tuple[Picture, Mask]:
    """With a frame around the head: of air, or of one brightness up to white."""
    if random.random() >= FRAMED:
        return picture, mask
    shade = random.choice([0.0, 1.0, random.random()]) * float(picture.max())
    air, (inner, outer) = int(random.integers(2, 24)), sorted(random.integers(0, 16, 2))
    (top, bottom), (left, right) = _box(picture)
    cut = slice(top, bottom), slice(left, right)
    picture, mask = np.pad(picture[cut], air + inner), np.pad(mask[cut], air + outer + inner)
    return np.pad(picture, outer, constant_values=shade), mask


def _box(picture: Picture) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row and column (behind it) of what is no air."""
    head = picture > max(HEAD_LEVEL * float(np.percentile(picture, 99.5)), 1e-3)
    if not head.any():
        return (0, picture.shape[0]), (0, picture.shape[1])
    profiles = head.mean(axis=1), head.mean(axis=0)
    inside = [np.flatnonzero(profile > 0.1 * profile.max()) for profile in profiles]
    (top, bottom), (left, right) = ((int(at[0]), int(at[-1]) + 1) for at in inside)
    return (top, bottom), (left, right)


def _fitted(picture: Picture, mask: Mask, shape: tuple[int, ...]) -> tuple[Picture, Mask]:
    """What is no air in the middle of a window of `shape`, as large as preparation makes it."""
    (top, bottom), (left, right) = _box(picture)
    pixel = max((bottom - top) / PICTURE_FILL / shape[0], (right - left) / shape[1])
    length = np.array(picture.shape)
    size = pixel * np.array(shape) / length
    middle = np.array([top + bottom, left + right]) / length - 1
    theta = torch.tensor([[[size[1], 0, middle[1]], [0, size[0], middle[0]]]], dtype=torch.float32)
    grid = functional.affine_grid(theta, [1, 1, *shape], align_corners=False)
    both = torch.from_numpy(np.stack([picture, mask])[None])
    window = functional.grid_sample(both, grid, align_corners=False)[0].numpy()
    return window[0], (window[1] > 0.5).astype(np.float32)


def _lettered(picture: Picture, random: np.random.Generator) -> Picture:
    """One to four lines of strokes near the edges, as bright as fat or more."""
    picture = picture.copy()
    rows, columns = picture.shape
    for _ in range(int(random.integers(1, 5))):
        height, width = int(random.integers(3, 7)), int(random.integers(8, 40))
        row = int(
            random.choice([random.integers(0, 16), random.integers(rows - 22, rows - height)])
        )
        column = int(random.choice([random.integers(0, 8), columns - width - 2]))
        strokes = random.random((height, width)) < 0.5
        picture[row : row + height, column : column + width][strokes] = picture.max()
    return picture
