"""The networks in torch, which learn: the 2D U-Net, the input check's, and their engine.

Ronneberger, Fischer, Brox: U-Net, MICCAI 2015 (arXiv:1505.04597); batch normalisation after each
convolution, and bilinear upsampling in place of the transposed convolution. This is the network in
torch, which learns; what analyzes is model/network/openvino_graphs.py, which must stay the same
network.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.network.weights_file import Member
from model.volume import FloatArray
from model.weights_config import CLASSES, InputCheckShape, UNetShape


class DoubleConv(nn.Sequential):
    """Twice: 3x3 convolution, batch normalisation, ReLU. (b, c, h, w) -> (b, outputs, h, w).

    stride: of the first one; rows and columns are divided by it.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class UNet(nn.Module):
    """(b, inputs, h, w) float32 in [0, 1] -> (b, 1, h, w) logits.

    h and w are multiples of stem * 2 ** (levels - 1). `probability` applies the sigmoid.
    """

    def __init__(self, shape: UNetShape) -> None:
        super().__init__()
        self.shape = shape
        widths = [shape.width * 2**level for level in range(shape.levels)]
        self.encoder = nn.ModuleList(
            DoubleConv(inputs, outputs)
            for inputs, outputs in zip(
                [shape.inputs * shape.stem**2, *widths], widths, strict=False
            )
        )
        self.decoder = nn.ModuleList(
            DoubleConv(deep + skip, skip)
            for deep, skip in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], shape.stem**2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Down through the encoder, up through the decoder, each step joined by its skip."""
        skips: list[Tensor] = []
        x = functional.pixel_unshuffle(x, self.shape.stem)
        for level, block in enumerate(self.encoder):
            x = block(functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for block in self.decoder:
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat([skips.pop(), x], dim=1))
        logits: Tensor = functional.pixel_shuffle(self.head(x), self.shape.stem)
        return logits

    def probability(self, x: Tensor) -> Tensor:
        """Tumor probability in [0, 1], shape (b, 1, h, w)."""
        return torch.sigmoid(self(x))


class InputCheckNet(nn.Module):
    """(b, 1, h, w) float32 in [0, 1], as preprocessing makes it -> (b, 4) logits."""

    def __init__(self, shape: InputCheckShape) -> None:
        super().__init__()
        self.shape = shape
        widths = [1, *(shape.width * factor for factor in (1, 2, 3, 4))]
        self.layers = nn.Sequential(*(DoubleConv(a, b, stride=2) for a, b in pairwise(widths)))
        self.head = nn.Linear(2 * widths[-1], len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """Half the grid, four steps of half the grid each, then means and maxima over it."""
        deep = self.layers(functional.avg_pool2d(x, 2))
        logits: Tensor = self.head(torch.cat([deep.mean((2, 3)), deep.amax((2, 3))], 1))
        return logits


BATCH = 8


class TorchEngine:
    """A network of torch on a device; see `model.network.network.Engine`."""

    def __init__(self, member: Member, device: str) -> None:
        self._net = filled(member).to(device)
        self._net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device

    def __call__(self, images: FloatArray) -> FloatArray:
        """Tumor probability of each slice: (b, inputs, rows, columns) -> (b, rows, columns)."""
        parts = [self._analyze(images[at : at + BATCH]) for at in range(0, len(images), BATCH)]
        return np.concatenate(parts)

    def _analyze(self, images: FloatArray) -> FloatArray:
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(images))
            batch = batch.to(self._device, memory_format=torch.channels_last)
            analyzed: FloatArray = self._net.probability(batch)[:, 0].cpu().numpy()
        return analyzed


def filled(member: Member) -> UNet:
    """The network in torch with all that it learned, ready to analyze."""
    net = UNet(member.shape)
    fill(net, member.tensors)
    return net


def fill(net: nn.Module, tensors: dict[str, FloatArray]) -> None:
    """Give a network what it learned; only counters of batches may be missing.

    Raises ValueError for a tensor too few or too many.
    """
    learned = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    keys = net.load_state_dict(learned, strict=False)
    if keys.unexpected_keys or any("num_batches" not in name for name in keys.missing_keys):
        raise ValueError("not of this shape")
    net.eval()
