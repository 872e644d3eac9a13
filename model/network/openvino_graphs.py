"""The networks as OpenVINO graphs, made from the weights, and the engine that runs them.

The converter is not needed here, and would load OpenVINO's telemetry: nothing in a hospital
shall be able to report to anybody. It also takes a third of the time of the import.

These are the networks of model/network/unet.py and model/network/unet.py, which learn in torch (a
test holds them together), with every batch normalisation folded into the convolution before it.
"""

import importlib
import os
import sys
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from model.volume import FloatArray
from model.weights_config import UNetShape

CONVERTER = "openvino.tools.ovc"


def _without_converter() -> Any:
    sys.modules.setdefault(CONVERTER, None)  # type: ignore[arg-type]  # so that it cannot load
    return importlib.import_module("openvino")


openvino = _without_converter()


op = openvino.opset13
EPSILON = 1e-5  # of batch normalisation, as in torch
COUNTER = "num_batches_tracked"  # of batch normalisation; it does not matter once trained


class _Learned:
    """What a network learned: each tensor is taken once, in the form that is asked for."""

    def __init__(self, tensors: dict[str, FloatArray]) -> None:
        self._left = {name: each for name, each in tensors.items() if COUNTER not in name}

    def take(self, name: str, *form: int) -> FloatArray:
        """Raises KeyError or ValueError for weights that are not of this network."""
        tensor = self._left.pop(name)
        if tensor.shape != form or not np.isfinite(tensor).all():
            raise ValueError("not of this shape, or no numbers")
        return tensor

    def end(self) -> None:
        """Raises ValueError if anything is left over."""
        if self._left:
            raise ValueError("not of this shape")


def unet_graph(shape: UNetShape, tensors: dict[str, FloatArray], rows: int, columns: int) -> Any:
    """(1, inputs, rows, columns) -> tumor probability (1, rows, columns).

    Raises KeyError, ValueError or RuntimeError when shape, tensors and window do not belong
    together.
    """
    learned = _Learned(tensors)
    images = op.parameter((1, shape.inputs, rows, columns), np.float32)
    x, channels = _folded(images, shape.stem), shape.inputs * shape.stem**2
    skips = []
    for level in range(shape.levels):
        x = _halved(x) if level else x
        x = _double(x, learned, f"encoder.{level}", channels, shape.width * 2**level)
        channels = shape.width * 2**level
        skips.append((x, channels))
    skips.pop()
    for level, (skip, outputs) in enumerate(reversed(skips)):
        x = op.concat([skip, _doubled(x)], 1)
        x = _double(x, learned, f"decoder.{level}", channels + outputs, outputs)
        channels = outputs
    kernel = learned.take("head.weight", shape.stem**2, channels, 1, 1)
    logits = _unfolded(_conv(x, kernel, learned.take("head.bias", shape.stem**2)), shape.stem)
    learned.end()
    return openvino.Model([op.squeeze(op.sigmoid(logits), [1])], [images])


def input_check_graph(
    width: int, classes: int, tensors: dict[str, FloatArray], rows: int, columns: int
) -> Any:
    """(1, 1, rows, columns) -> logits (1, classes). Raises as `unet_graph` does."""
    learned = _Learned(tensors)
    images = op.parameter((1, 1, rows, columns), np.float32)
    x = op.avg_pool(images, [2, 2], [0, 0], [0, 0], [2, 2], True)
    widths = [1, *(width * factor for factor in (1, 2, 3, 4))]
    for number, (inputs, outputs) in enumerate(pairwise(widths)):
        x = _double(x, learned, f"layers.{number}", inputs, outputs, stride=2)
    both = op.concat([op.reduce_mean(x, [2, 3]), op.reduce_max(x, [2, 3])], 1)
    weight = learned.take("head.weight", classes, 2 * widths[-1])
    logits = op.add(op.matmul(both, weight, False, True), learned.take("head.bias", classes))
    learned.end()
    return openvino.Model([logits], [images])


def _double(
    x: Any, learned: _Learned, name: str, inputs: int, outputs: int, stride: int = 1
) -> Any:
    """Twice: 3x3 convolution, batch normalisation, ReLU; the first one steps by `stride`."""
    first = _normalised(learned, f"{name}.0", f"{name}.1", inputs, outputs)
    second = _normalised(learned, f"{name}.3", f"{name}.4", outputs, outputs)
    return op.relu(_conv(op.relu(_conv(x, *first, stride)), *second))


def _normalised(
    learned: _Learned, conv: str, norm: str, inputs: int, outputs: int
) -> tuple[FloatArray, FloatArray]:
    """Kernel and offsets of a convolution with the normalisation after it.

    Ioffe, Szegedy: Batch normalization, ICML 2015, section 3.1, with frozen statistics.
    """
    variance = learned.take(f"{norm}.running_var", outputs)
    if (variance < 0).any():
        raise ValueError("no variances")
    scale = learned.take(f"{norm}.weight", outputs) / np.sqrt(variance + np.float32(EPSILON))
    offset = learned.take(f"{norm}.bias", outputs)
    offset = offset - learned.take(f"{norm}.running_mean", outputs) * scale
    kernel = learned.take(f"{conv}.weight", outputs, inputs, 3, 3)
    return kernel * scale[:, None, None, None], offset


def _conv(x: Any, kernel: FloatArray, offset: FloatArray, stride: int = 1) -> Any:
    """A convolution that keeps the grid, or takes every `stride`-th place of it."""
    edge = [kernel.shape[-1] // 2] * 2
    x = op.convolution(x, kernel, [stride, stride], edge, edge, [1, 1])
    return op.add(x, offset[None, :, None, None])


def _halved(x: Any) -> Any:
    """The largest of each 2 x 2 places."""
    return op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)


def _doubled(x: Any) -> Any:
    """Twice the rows and columns, bilinear, corners not aligned."""
    scales, axes = np.array([2, 2], np.float32), np.array([2, 3])
    how = {"coordinate_transformation_mode": "half_pixel"}
    return op.interpolate(x, scales, "linear_onnx", "scales", axes=axes, **how)


def _folded(x: Any, stem: int) -> Any:
    return op.space_to_depth(x, "depth_first", stem) if stem > 1 else x


def _unfolded(x: Any, stem: int) -> Any:
    return op.depth_to_space(x, "depth_first", stem) if stem > 1 else x


class OpenVINOEngine:
    """A graph, compiled for this processor; an `Engine` of `model.network.network`.

    Each thread analyzes a slice alone, so a scan of few slices leaves no thread idle, and the
    numbers do not depend on how many threads there are.
    """

    def __init__(self, graph: Any, threads: int = 0) -> None:
        """threads: at most so many; 0 = `wanted_threads`."""
        streams = threads or wanted_threads()
        how = {
            "INFERENCE_NUM_THREADS": streams,
            "NUM_STREAMS": streams,
            "INFERENCE_PRECISION_HINT": "f32",  # newer processors would round to bf16
            "ENABLE_CPU_PINNING": False,  # pinned, two workers would share one core
        }
        compiled = _core().compile_model(graph, "CPU", how)
        self._form = tuple(compiled.output(0).shape)[1:]
        self._queue = openvino.AsyncInferQueue(compiled, streams)

    def __call__(self, images: FloatArray) -> FloatArray:
        """What the network says of each slice: (b, inputs, rows, columns) -> (b, ...)."""
        result = np.empty((len(images), *self._form), np.float32)

        def keep(request: Any, number: int) -> None:
            result[number] = request.get_output_tensor().data[0]

        self._queue.set_callback(keep)
        for number, image in enumerate(images):
            self._queue.start_async({0: image[None]}, number)
        self._queue.wait_all()
        return result


def wanted_threads() -> int:
    """OMP_NUM_THREADS, else all that this process may use."""
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or usable_threads()


def usable_threads() -> int:
    """How many processor threads this process may use at once."""
    return len(os.sched_getaffinity(0))


@cache
def _core() -> Any:
    return openvino.Core()
