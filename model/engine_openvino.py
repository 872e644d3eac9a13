"""The engine on a processor: OpenVINO, in single precision, each slice on a thread of its own."""

import os
from functools import cache
from typing import Any

import numpy as np

from model.runtime import openvino
from model.volume import FloatArray


class OpenVINOEngine:
    """A graph of model/graphs.py, compiled for this processor; see `model.engine.Engine`.

    Each thread judges a slice alone, so a scan of few slices leaves no thread idle, and the
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
