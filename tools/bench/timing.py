"""Timing things against each other, the work a network is, and a made-up head to time with."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from threadpoolctl import ThreadpoolController

from model.network.openvino_graphs import wanted_threads
from model.weights_config import UNetShape

FEWEST = 3  # rounds, however long they take


@dataclass(frozen=True)
class Row:
    """Something to be timed. times: how often it would run in a whole scan, for what is timed
    on a part of one."""

    name: str
    run: Callable[[], object]
    times: float = 1.0


@dataclass(frozen=True)
class Timing:
    """Seconds: the median over rounds, and the spread between the quartiles."""

    name: str
    median: float
    low: float
    high: float
    rounds: int


def interleaved(
    rows: Sequence[Row], rounds: int, most_seconds: float, advance: Callable[[], object]
) -> list[Timing]:
    """Each row once to warm up, then once a round, in turn; `advance` is told of each run.

    No round begins after `most_seconds`, once there are FEWEST.
    """
    began = time.perf_counter()
    seconds: list[list[float]] = [[] for _ in rows]
    for number in range(rounds + 1):
        if number > FEWEST and time.perf_counter() - began > most_seconds:
            break
        for row, kept in zip(rows, seconds, strict=True):
            start = time.perf_counter()
            row.run()
            if number:
                kept.append(row.times * (time.perf_counter() - start))
            advance()
    return [_timing(row.name, kept) for row, kept in zip(rows, seconds, strict=True)]


def _timing(name: str, seconds: list[float]) -> Timing:
    low, middle, high = np.percentile(seconds, [25, 50, 75])
    return Timing(name, float(middle), float(low), float(high), len(seconds))


SIDE = 2048  # rows and columns of the matrices of GEMM


def gflop_of_slice(shape: UNetShape, rows: int, columns: int) -> float:
    """Multiplications and additions of all convolutions for one slice, in 10^9.

    What stands between them (ReLU, pooling, upsampling) is not counted, so a share of the
    machine's peak that is computed from it is rather too low than too high.
    """
    pixels = rows * columns // shape.stem**2
    channels = shape.inputs * shape.stem**2
    total, widths = 0, [shape.width * 2**level for level in range(shape.levels)]
    for level, width in enumerate(widths):
        total += 9 * (pixels >> 2 * level) * (channels * width + width * width)
        channels = width
    for level in reversed(range(shape.levels - 1)):
        width = widths[level]
        total += 9 * (pixels >> 2 * level) * ((channels + width) * width + width * width)
        channels = width
    total += pixels * channels * shape.stem**2
    return 2 * total / 1e9


def gemm() -> tuple[Callable[[], object], float]:
    """A product of two matrices in single precision, and its work in 10^9 operations.

    By NumPy's BLAS, with as many threads as the network gets; elsewhere BLAS has one.
    """
    random = np.random.default_rng(1)
    a, b = (random.random((SIDE, SIDE), np.float32) for _ in range(2))
    product = np.empty((SIDE, SIDE), np.float32)
    libraries, threads = ThreadpoolController(), wanted_threads()

    def multiply() -> None:
        with libraries.limit(limits=threads, user_api="blas"):
            np.matmul(a, b, out=product)

    return multiply, 2 * SIDE**3 / 1e9


SIZE_MM = (150.0, 180.0, 150.0)  # of the head, along left-right, back-front, bottom-top
LESION_MM, LESION_AT = 22.0, (40.0, 30.0, 25.0)  # radius, and its middle from that of the head


def save_made_up_head(slices: int, thick_mm: float, path: Path) -> None:
    """240 x 240 pixels of 1 mm and so many slices as int16 NIfTI: no patient, and no anatomy."""
    shape, spacing = (240, 240, slices), np.array([1.0, 1.0, thick_mm])
    places = np.indices(shape, dtype=np.float32).transpose(1, 2, 3, 0)
    places = (places - (np.array(shape) - 1) / 2) * spacing
    radius = np.linalg.norm(places / (np.array(SIZE_MM) / 2), axis=-1)
    texture = np.random.default_rng(1).normal(1, 0.05, shape)
    voxels = np.where(radius < 1, 400 * texture, 0)
    voxels[(radius > 0.9) & (radius < 1)] *= 1.3
    voxels[np.linalg.norm(places - LESION_AT, axis=-1) < LESION_MM] *= 2
    image = nib.Nifti1Image(voxels.astype(np.int16), np.diag([-1.0, -1.0, thick_mm, 1.0]))
    image.header.set_xyzt_units("mm")
    image.to_filename(path)
