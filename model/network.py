"""The trained network as a value: weights in, probabilities out, and what a report says of it.

A weights file holds one network or several, its members, trained alike on different patients:
the first few judge in `fast`, all of them in `best`, and their probabilities are averaged
(Lakshminarayanan, Pritzel, Blundell: deep ensembles, NeurIPS 2017).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from model.certainty import Certainty
from model.framing import Preparation
from model.neighbours import with_neighbours
from model.preparation import Prepared
from model.unet import UNet
from model.volume import FloatArray

BATCH = 8


@dataclass(frozen=True)
class Network:
    """Networks ready to judge; `sha256` is that of their weights file.

    fast: how many of `nets` judge when it must be quick; splits: SHA-256 of the split that each
    was trained on; certainty: how far its word can be trusted, None when that was not measured.
    """

    name: str
    sha256: str
    nets: tuple[UNet, ...]
    device: str
    preparation: Preparation
    fast: int = 1
    splits: tuple[str, ...] = ()
    certainty: Certainty | None = None

    def member(self, number: int) -> "Network":
        """One network of several, alone."""
        return replace(self, nets=(self.nets[number],), fast=1)

    def probabilities(self, prepared: Prepared, best: bool) -> FloatArray:
        """Tumor probability on the network's grid: float32 (n, rows, columns) in [0, 1].

        Slices without any head are skipped and get 0. With `best` every member judges, and the
        mirrored picture too; all are averaged.
        """
        result = np.zeros_like(prepared.slices)
        busy = np.flatnonzero(prepared.head.any(axis=(1, 2)))
        for start in range(0, len(busy), BATCH):
            indices = busy[start : start + BATCH]
            images = self.inputs(prepared, indices)
            judged = self._judge(images, best)
            if best:
                judged = (judged + self._judge(images[..., ::-1], best)[..., ::-1]) / np.float32(2)
            result[indices] = judged
        return result

    def inputs(self, prepared: Prepared, indices: NDArray[np.int64]) -> FloatArray:
        """(b, inputs, rows, columns): the slices alone, or each between its neighbours."""
        if self.nets[0].shape.inputs == 1:  # all members see the same
            return prepared.slices[indices][:, None]
        return with_neighbours(prepared.slices, indices, prepared.step)

    def _judge(self, images: FloatArray, best: bool) -> FloatArray:
        nets = self.nets if best else self.nets[: self.fast]
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(images))
            batch = batch.to(self.device, memory_format=torch.channels_last)
            total = torch.stack([net.probability(batch)[:, 0] for net in nets]).mean(0)
            judged: FloatArray = total.float().cpu().numpy()
        return judged
