"""Where the network looked when it decided that there is tumor on a slice: Grad-CAM.

Selvaraju et al., Grad-CAM, ICCV 2017, with the deepest encoder block as the layer that is
explained, and the soft maximum of the slice's logits as the decision "tumor on this slice".
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from model.inference.preprocessing import from_window, prepare
from model.intensity import head_mask
from model.network.network import Network
from model.network.unet import filled
from model.volume import FloatArray, Volume


@dataclass(frozen=True)
class Explanation:
    """heat: float32 (i, j, k) on the volume's own grid, in [0, 1], 1 where the network looked
    most; 0 on all slices but the one that was explained, that with most tumor probability."""

    heat: FloatArray


def explain(volume: Volume, network: Network) -> Explanation:
    """Explain the network's decision on the slice with the most tumor probability."""
    prepared = prepare(volume, network.preparation)
    probability = network.probabilities(prepared, best=False)
    index = int(probability.sum(axis=(1, 2)).argmax())
    window = np.zeros_like(prepared.slices)
    heat = grad_cam(network, network.inputs(prepared, np.array([index])))
    heat = heat * _inside(prepared.slices[index])
    window[index] = heat / (float(heat.max()) or 1.0)
    return Explanation(from_window(window, prepared.grid))


def _inside(picture: FloatArray) -> FloatArray:
    """1 inside the head, 0 in the air around it, where the edges of a picture draw heat."""
    filled = ndimage.binary_fill_holes(head_mask(picture))
    return np.asarray(filled, dtype=np.float32)


def grad_cam(network: Network, images: FloatArray) -> FloatArray:
    """Heat of one slice: images (1, inputs, rows, columns) -> (rows, columns) in [0, 1]."""
    net = filled(network.members[0])
    deepest = net.encoder[-1]
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
        kept.append(output)

    handle = deepest.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = net(torch.from_numpy(images))
            (slopes,) = torch.autograd.grad(torch.logsumexp(logits.flatten(), 0), kept[0])
    finally:
        handle.remove()
    importance = slopes.mean(dim=(2, 3), keepdim=True)
    heat = functional.relu((importance * kept[0]).sum(dim=1, keepdim=True)).detach()
    whole = functional.interpolate(heat, images.shape[-2:], mode="bilinear", align_corners=False)
    peak = float(whole.max())
    scaled: FloatArray = (whole / peak if peak > 0 else whole)[0, 0].float().cpu().numpy()
    return scaled
