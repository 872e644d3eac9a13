"""May this be analyzed at all? A small network looks whether it sees an axial FLAIR of a head.

It learned to say no from imitations of other sequences, other views, and things that are no head
(training/recipes/input_check.py); a scan's answer is the mean over slices from the middle of it.
"""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from model.catalogue import text
from model.errors import WeightsError
from model.inference.preprocessing import HEAD_SLICES, Prepared
from model.network.network import Engine
from model.network.weights_file import read_safetensors
from model.volume import FloatArray
from model.weights_config import CLASSES, STANDARD, InputCheckShape, InputClass

SHIPPED = "flair_gate.safetensors"
LOOKED_AT = 12  # slices of a scan, at most
SMALL = 0.1  # of the largest slice of the head: less is a cap or noise
MIDDLE = (0.25, 0.85)  # of the slices with a head, from below: where a head looks like one


@dataclass(frozen=True)
class InputCheck:
    """An input check ready to look. least: the least share of FLAIR that lets a scan in."""

    shape: InputCheckShape
    engine: Engine
    least: float

    def shares(self, prepared: Prepared) -> dict[InputClass, float]:
        """How much a scan looks like each of the classes: they sum to 1."""
        return self.shares_of(prepared.slices[middle_slices(prepared.head, prepared.step)])

    def shares_of(self, slices: FloatArray) -> dict[InputClass, float]:
        """The same for some prepared slices (n, rows, columns); none are no head."""
        if not len(slices):
            return {seen: float(seen is InputClass.NO_HEAD) for seen in CLASSES}
        logits = self.engine(slices[:, None]).mean(0)
        return dict(zip(CLASSES, softmax(logits).tolist(), strict=True))

    def seen(self, prepared: Prepared, is_picture: bool = False) -> InputClass:
        """FLAIR if that share is large enough, else what it looks like most of all others.

        A picture may lie on its side or stand on its head: it has no sides that would be wrong.
        """
        return self.most_like(self.shares(prepared), is_picture)

    def most_like(self, shares: dict[InputClass, float], is_picture: bool) -> InputClass:
        """What follows from the shares."""
        shares = dict(shares)
        flair = shares.pop(InputClass.FLAIR)
        if is_picture:
            flair += shares.pop(InputClass.TURNED)
        if flair >= self.least:
            return InputClass.FLAIR
        return max(shares, key=lambda seen: shares[seen])


def middle_slices(head: NDArray[np.bool_], step: int) -> NDArray[np.int64]:
    """Up to LOOKED_AT slices, evenly from the middle of the head: (n, rows, columns) -> (m,).

    step: as in Prepared; a field of view that reaches down to the neck is cut below the head.
    """
    area = head.sum(axis=(1, 2))
    filled = np.flatnonzero(area > SMALL * area.max())
    if not filled.size:
        return filled
    filled = filled[filled > filled[-1] - HEAD_SLICES * step]
    low, high = (share * (len(filled) - 1) for share in MIDDLE)
    count = min(LOOKED_AT, 1 + int(high - low))
    chosen: NDArray[np.int64] = filled[np.unique(np.linspace(low, high, count).round().astype(int))]
    return chosen


def load_input_check(least: float, threads: int = 0) -> InputCheck:
    """The input check shipped in this package. Raises WeightsError when its file is damaged.

    threads: how many processor threads it may use; 0 = all, or OMP_NUM_THREADS.
    """
    with resources.as_file(resources.files("model.weights") / SHIPPED) as path:
        return read_input_check(path, least, threads)


def read_input_check(path: Path, least: float, threads: int = 0) -> InputCheck:
    """The input check in a safetensors file. Raises WeightsError when it is missing or damaged."""
    from model.network.openvino_graphs import OpenVINOEngine, input_check_graph

    try:
        header, tensors = read_safetensors(path)
        shape = InputCheckShape(**json.loads(header["shape"]))
        graph = input_check_graph(
            shape.width, len(CLASSES), tensors, STANDARD.rows, STANDARD.columns
        )
        return InputCheck(shape, OpenVINOEngine(graph, threads), least)
    except Exception:  # the libraries raise many kinds on hostile bytes
        raise WeightsError(text("weights.gate")) from None
