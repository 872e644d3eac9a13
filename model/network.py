"""The trained network as a value: weights in, probabilities out, and what a report says of it."""

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from model.errors import WeightsError
from model.framing import Preparation
from model.neighbours import with_neighbours
from model.preparation import Prepared
from model.unet import UNet, UNetShape
from model.volume import FloatArray

BATCH = 8
SHIPPED = "flair_unet.safetensors"


@dataclass(frozen=True)
class Network:
    """A network ready to judge; `sha256` is that of its weights file."""

    name: str
    sha256: str
    net: UNet
    device: str
    preparation: Preparation

    def probabilities(self, prepared: Prepared, flips: bool) -> FloatArray:
        """Tumor probability on the network's grid: float32 (n, rows, columns) in [0, 1].

        Slices without any head are skipped and get 0. With `flips` the mirrored picture is
        judged too and the two are averaged, which takes twice as long.
        """
        result = np.zeros_like(prepared.slices)
        busy = np.flatnonzero(prepared.head.any(axis=(1, 2)))
        for start in range(0, len(busy), BATCH):
            indices = busy[start : start + BATCH]
            images = self.inputs(prepared, indices)
            judged = self._judge(images)
            if flips:
                mirrored = self._judge(images[..., ::-1])[..., ::-1]
                judged = (judged + mirrored) / np.float32(2)
            result[indices] = judged
        return result

    def inputs(self, prepared: Prepared, indices: NDArray[np.int64]) -> FloatArray:
        """(b, inputs, rows, columns): the slices alone, or each between its neighbours."""
        if self.net.shape.inputs == 1:
            return prepared.slices[indices][:, None]
        return with_neighbours(prepared.slices, indices, prepared.step)

    def _judge(self, images: NDArray[np.float32]) -> FloatArray:
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(images))
            batch = batch.to(self.device, memory_format=torch.channels_last)
            judged: FloatArray = self.net.probability(batch)[:, 0].float().cpu().numpy()
        return judged


def load_network(weights: Path | None = None, device: str = "cpu", threads: int = 0) -> Network:
    """The network in a safetensors file; without one, the weights shipped in this package.

    threads: how many processor threads this process may use for it; 0 leaves torch's choice.

    Raises WeightsError when the file is missing, damaged, or not of this network.
    """
    if threads:
        torch.set_num_threads(threads)
    if weights is None:
        with resources.as_file(resources.files("model.weights") / SHIPPED) as shipped:
            return _load(shipped, device)
    return _load(weights, device)


def _load(path: Path, device: str) -> Network:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with safe_open(path, "pt") as stored:
            about = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name).float() for name in stored.keys()}  # noqa: SIM118
        net = UNet(UNetShape(**json.loads(about["shape"])))
        preparation = Preparation(**json.loads(about.get("preparation", "{}")))
        net.load_state_dict(tensors, strict=False)
    except FileNotFoundError:
        raise WeightsError("The weights file is not there.") from None
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError):
        raise WeightsError("The weights file is damaged, or not of this network.") from None
    net.eval()
    net.to(device)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Network(about.get("name", path.stem), digest, net, device, preparation)
