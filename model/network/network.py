"""The trained network as a value: weights in, probabilities out, on this machine's best device.

A weights file holds one network or several, its members, trained alike on different patients:
the first few analyze in `fast`, all of them in `best`, and their probabilities are averaged
(Lakshminarayanan, Pritzel, Blundell: deep ensembles, NeurIPS 2017).
"""

from dataclasses import dataclass, replace
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.catalogue import text
from model.errors import WeightsError
from model.geometry import with_neighbours
from model.inference.preprocessing import Prepared
from model.network.weights_file import Member, Weights, read_weights
from model.volume import FloatArray
from model.weights_config import SHIPPED

NVIDIA = Path("/dev/nvidiactl")  # there where a driver for such cards runs


class Engine(Protocol):
    """A network with its weights, ready on a device."""

    def __call__(self, images: FloatArray) -> FloatArray:
        """What the network says of each slice.

        images: float32 (b, inputs, rows, columns), any b. A U-Net answers with the tumor
        probability, float32 (b, rows, columns) in [0, 1]; the input check with logits (b, classes).
        """


def best_device() -> str:
    """ "cuda" where there is such a card and a torch that can use it, else "cpu".

    torch is not loaded to see that there is no card.
    """
    if not NVIDIA.exists() or find_spec("torch") is None:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


TOGETHER = 64  # slices that are handed to an engine at once, so that memory stays bounded


@dataclass(frozen=True, kw_only=True)
class Network(Weights):
    """What a weights file holds, ready to analyze on a device: one engine a member."""

    engines: tuple[Engine, ...]
    device: str

    def member(self, number: int) -> "Network":
        """One network of several, alone."""
        chosen = slice(number, number + 1)
        return replace(self, members=self.members[chosen], engines=self.engines[chosen], fast=1)

    def probabilities(self, prepared: Prepared, best: bool) -> FloatArray:
        """Tumor probability on the network's grid: float32 (n, rows, columns) in [0, 1].

        Slices without any head are skipped and get 0. With `best` every member analyzes, and the
        mirrored picture too; all are averaged.
        """
        result = np.zeros_like(prepared.slices)
        busy = np.flatnonzero(prepared.head.any(axis=(1, 2)))
        for start in range(0, len(busy), TOGETHER):
            indices = busy[start : start + TOGETHER]
            images = self.inputs(prepared, indices)
            analyzed = self._analyze(images, best)
            if best:
                analyzed = (
                    analyzed + self._analyze(images[..., ::-1], best)[..., ::-1]
                ) / np.float32(2)
            result[indices] = analyzed
        return result

    def inputs(self, prepared: Prepared, indices: NDArray[np.int64]) -> FloatArray:
        """(b, inputs, rows, columns): the slices alone, or each between its neighbours."""
        if self.members[0].shape.inputs == 1:  # all members see the same
            return prepared.slices[indices][:, None]
        return with_neighbours(prepared.slices, indices, prepared.step)

    def _analyze(self, images: FloatArray, best: bool) -> FloatArray:
        engines = self.engines if best else self.engines[: self.fast]
        analyzed: FloatArray = np.mean([engine(images) for engine in engines], axis=0)
        return analyzed


def load_network(weights: Path | None = None, device: str = "", threads: int = 0) -> Network:
    """The network in a weights file; without one, the weights shipped in this package.

    device: "cpu", or "cuda" where torch is installed; "" takes the best one that is there.
    threads: how many processor threads this process may use for it; 0 = all, or OMP_NUM_THREADS.

    Raises WeightsError when the file is missing, damaged, or not of this network.
    """
    device = device or best_device()
    if weights is None:
        with resources.as_file(resources.files("model.weights") / SHIPPED) as shipped:
            return _load(shipped, device, threads)
    return _load(weights, device, threads)


def _load(path: Path, device: str, threads: int) -> Network:
    try:
        read = read_weights(path)
        engines = tuple(_engine(member, read, device, threads) for member in read.members)
    except FileNotFoundError:
        raise WeightsError(text("weights.missing")) from None
    except WeightsError:
        raise
    except Exception:  # the libraries raise many kinds on hostile bytes
        raise WeightsError(text("weights.damaged")) from None
    return Network(**vars(read), engines=engines, device=device)


def _engine(member: Member, weights: Weights, device: str, threads: int) -> Engine:
    if device != "cpu":
        from model.network.unet import TorchEngine  # torch: a processor needs none

        return TorchEngine(member, device)
    from model.network.openvino_graphs import OpenVINOEngine, unet_graph

    window = weights.preparation
    graph = unet_graph(member.shape, member.tensors, window.rows, window.columns)
    return OpenVINOEngine(graph, threads)
