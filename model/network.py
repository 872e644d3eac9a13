"""The trained network as a value: weights in, probabilities out, and what a report says of it.

A weights file holds one network or several, its members, trained alike on different patients:
the first few judge in `fast`, all of them in `best`, and their probabilities are averaged
(Lakshminarayanan, Pritzel, Blundell: deep ensembles, NeurIPS 2017).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.engine import Engine
from model.neighbours import with_neighbours
from model.preparation import Prepared
from model.volume import FloatArray
from model.weights_file import Weights

TOGETHER = 64  # slices that are handed to an engine at once, so that memory stays bounded


@dataclass(frozen=True, kw_only=True)
class Network(Weights):
    """What a weights file holds, ready to judge on a device: one engine a member."""

    engines: tuple[Engine, ...]
    device: str

    def member(self, number: int) -> "Network":
        """One network of several, alone."""
        chosen = slice(number, number + 1)
        return replace(self, members=self.members[chosen], engines=self.engines[chosen], fast=1)

    def probabilities(self, prepared: Prepared, best: bool) -> FloatArray:
        """Tumor probability on the network's grid: float32 (n, rows, columns) in [0, 1].

        Slices without any head are skipped and get 0. With `best` every member judges, and the
        mirrored picture too; all are averaged.
        """
        result = np.zeros_like(prepared.slices)
        busy = np.flatnonzero(prepared.head.any(axis=(1, 2)))
        for start in range(0, len(busy), TOGETHER):
            indices = busy[start : start + TOGETHER]
            images = self.inputs(prepared, indices)
            judged = self._judge(images, best)
            if best:
                judged = (judged + self._judge(images[..., ::-1], best)[..., ::-1]) / np.float32(2)
            result[indices] = judged
        return result

    def inputs(self, prepared: Prepared, indices: NDArray[np.int64]) -> FloatArray:
        """(b, inputs, rows, columns): the slices alone, or each between its neighbours."""
        if self.members[0].shape.inputs == 1:  # all members see the same
            return prepared.slices[indices][:, None]
        return with_neighbours(prepared.slices, indices, prepared.step)

    def _judge(self, images: FloatArray, best: bool) -> FloatArray:
        engines = self.engines if best else self.engines[: self.fast]
        judged: FloatArray = np.mean([engine(images) for engine in engines], axis=0)
        return judged
