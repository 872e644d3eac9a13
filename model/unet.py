"""The network: a 2D U-Net that sees a slice with its two neighbours and marks tumor on the slice.

Ronneberger, Fischer, Brox: U-Net, MICCAI 2015 (arXiv:1505.04597); batch normalisation after
each convolution, and bilinear upsampling in place of the transposed convolution. This is the
network in torch, which learns; what judges is model/graphs.py, which must stay the same network.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.unet_shape import UNetShape


class DoubleConv(nn.Sequential):
    """Twice: 3x3 convolution, batch normalisation, ReLU. (b, c, h, w) -> (b, outputs, h, w)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
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
