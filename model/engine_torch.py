"""The engine where torch is: on a CUDA card, and as what the other engine is compared with."""

import numpy as np
import torch
from torch import nn

from model.unet import UNet
from model.volume import FloatArray
from model.weights_file import Member

BATCH = 8


class TorchEngine:
    """A network of torch on a device; see `model.engine.Engine`."""

    def __init__(self, member: Member, device: str) -> None:
        self._net = filled(member).to(device)
        self._net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device

    def __call__(self, images: FloatArray) -> FloatArray:
        """Tumor probability of each slice: (b, inputs, rows, columns) -> (b, rows, columns)."""
        parts = [self._judge(images[at : at + BATCH]) for at in range(0, len(images), BATCH)]
        return np.concatenate(parts)

    def _judge(self, images: FloatArray) -> FloatArray:
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(images))
            batch = batch.to(self._device, memory_format=torch.channels_last)
            judged: FloatArray = self._net.probability(batch)[:, 0].cpu().numpy()
        return judged


def filled(member: Member) -> UNet:
    """The network in torch with all that it learned, ready to judge."""
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
