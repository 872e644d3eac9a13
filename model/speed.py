"""How much work a network is, and what this machine can do at most: the measures of its speed."""

from collections.abc import Callable

import numpy as np
from threadpoolctl import ThreadpoolController

from model.engine_openvino import wanted_threads
from model.unet_shape import UNetShape

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
