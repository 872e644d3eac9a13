"""Which slices calibrate an int8 network: evenly spread over heads of patients it learned from."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.network import Network
from model.preparation import prepare
from model.reading.nifti import read_nifti
from model.volume import FloatArray
from training.cases import Case, DatasetError, split_by_patient

CHOOSING_SHARE = 0.5  # of the patients that were learned from; the rest calibrate


def part(
    learned: Sequence[str], judging: Sequence[str], seed: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The patients that calibrate, and those that choose among the ways; the same each time.

    Raises DatasetError when one that judges was learned from, or too few were.
    """
    if set(learned) & set(judging):
        raise DatasetError("A patient that judges was learned from: take another list.")
    parted = split_by_patient(tuple(learned), CHOOSING_SHARE, seed)
    return parted.train, parted.validation


def calibration_images(cases: Sequence[Case], network: Network, count: int) -> FloatArray:
    """What the network sees of about `count` slices: (n, inputs, rows, columns), n <= `count`.

    As many of each patient, or every so-manieth patient where `count` is smaller than they are
    many. Raises UnreadableScan when a case cannot be read.
    """
    chosen = [cases[k] for k in evenly(len(cases), count)]
    each = max(1, count // len(chosen))
    images = []
    for case in chosen:
        prepared = prepare(read_nifti(case.flair), network.preparation)
        busy = np.flatnonzero(prepared.head.any(axis=(1, 2)))
        images.append(network.inputs(prepared, busy[evenly(len(busy), each)]))
    return np.concatenate(images)


def evenly(length: int, count: int) -> NDArray[np.int64]:
    """At most `count` different places in 0 .. length - 1, the middles of equal stretches."""
    count = min(length, count)
    places: NDArray[np.int64] = ((np.arange(count) + 0.5) * length / max(count, 1)).astype(np.int64)
    return places
