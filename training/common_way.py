"""The work as it is commonly done, to have something to be measured against.

Eager torch in its default layout, one slice after the other: each stretched from its darkest to
its brightest voxel, as 8 bit, at 96 x 96, through a 64-wide U-Net; back to the slice's size, cut
at a threshold, and a PNG for each slice.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from model.engine_torch import filled
from model.framing import SEED
from model.network import Network
from model.preparation import prepare
from model.shading import stretch
from model.timing import Row
from model.unet import UNet
from model.unet_shape import SEED_SHAPE
from model.volume import FloatArray, Volume

SAMPLE = 8  # slices that are timed; the whole scan takes so much longer
OURS, COMMON = "our network, the common way", "the common way"


def rows_of(volume: Volume, network: Network, folder: Path) -> tuple[Row, ...]:
    """Our own network run that way, and all of that way with its own network (untrained: the
    values do not matter for the time). Both are timed on a few slices from the middle."""
    prepared = prepare(volume, network.preparation)
    busy = np.flatnonzero(prepared.head.any(axis=(1, 2)))
    images = network.inputs(prepared, _middle(busy))
    slices = stretch(np.moveaxis(volume.voxels, volume.slice_axis, 0))
    chosen = slices[_middle(np.arange(len(slices)))]
    ours, theirs = filled(network.members[0]), UNet(SEED_SHAPE).eval()
    return (
        Row(OURS, lambda: judge_one_by_one(ours, images), len(busy) / len(images)),
        Row(COMMON, lambda: judge_commonly(theirs, chosen, folder), len(slices) / len(chosen)),
    )


def judge_one_by_one(net: UNet, images: FloatArray) -> list[FloatArray]:
    """A slice after the other, (b, inputs, rows, columns), in torch's default layout."""
    with torch.inference_mode():
        return [net.probability(torch.from_numpy(image[None]))[0, 0].numpy() for image in images]


def judge_commonly(net: UNet, slices: FloatArray, folder: Path) -> None:
    """Slices (n, rows, columns) in [0, 1], one PNG of the mask each in `folder`."""
    for number, each in enumerate(slices):
        picture = Image.fromarray((255 * each).astype(np.uint8))
        small = np.asarray(picture.resize((SEED.columns, SEED.rows), Image.Resampling.BILINEAR))
        (judged,) = judge_one_by_one(net, small[None, None].astype(np.float32) / np.float32(255))
        whole = Image.fromarray(judged).resize(picture.size, Image.Resampling.BILINEAR)
        marked = np.asarray(whole) > 0.5
        Image.fromarray(marked.astype(np.uint8) * np.uint8(255)).save(folder / f"{number}.png")


def _middle(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    start = max(0, (len(indices) - SAMPLE) // 2)
    return indices[start : start + SAMPLE]
