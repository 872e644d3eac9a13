"""Ways to make an int8 network of a trained one, after training, by NNCF on an OpenVINO graph.

Jacob et al.: Quantization and training of neural networks for efficient integer-arithmetic-only
inference, CVPR 2018, describes the arithmetic: https://arxiv.org/abs/1712.05877
"""

import importlib
import io
import logging
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

from model.engine_openvino import OpenVINOEngine
from model.graphs import unet_graph
from model.network import Network
from model.volume import FloatArray
from training.cases import DatasetError

TELEMETRY = "openvino_telemetry"  # NNCF would tell its maker of each run


@dataclass(frozen=True)
class Way:
    """slices: how many calibrate. mixed: activations may lie off zero (MIXED preset).

    accurate_bias: NNCF's slower correction of biases. ends, last_level: the first layer and the
    head, and the decoder's last level, are left in single precision.
    """

    slices: int = 300
    mixed: bool = True
    accurate_bias: bool = False
    ends: bool = False
    last_level: bool = False


WAYS = {
    "default preset": Way(mixed=False),
    "MIXED preset": Way(),
    "MIXED, accurate bias": Way(accurate_bias=True),
    "MIXED, ends in fp32": Way(ends=True),
    "MIXED, ends and last level in fp32": Way(ends=True, last_level=True),
    "MIXED, accurate bias, ends in fp32": Way(accurate_bias=True, ends=True),
    "MIXED, 60 slices": Way(slices=60),
    "MIXED, 1200 slices": Way(slices=1200),
}


def ways_named(name: str) -> dict[str, Way]:
    """That way alone, or all of them for "". Raises DatasetError when there is none."""
    if name and name not in WAYS:
        raise DatasetError(f"There is no such way; there are: {'; '.join(WAYS)}.")
    return {name: WAYS[name]} if name else WAYS


def check_installed() -> None:
    """Raises DatasetError where NNCF is missing."""
    if find_spec("nncf") is None:
        raise DatasetError("int8 needs NNCF, which is not installed: pip install -e '.[int8]'.")


def int8_network(network: Network, images: FloatArray, way: Way) -> Network:
    """The same network with integer arithmetic, for `fast` alone.

    images: what the network sees of the slices that calibrate, (n, inputs, rows, columns).
    """
    window = network.preparation
    engines = tuple(
        OpenVINOEngine(
            _quantized(
                unet_graph(member.shape, member.tensors, window.rows, window.columns), images, way
            )
        )
        for member in network.members[: network.fast]
    )
    return replace(network, engines=engines)


def _quantized(graph: Any, images: FloatArray, way: Way) -> Any:
    sys.modules.setdefault(TELEMETRY, None)  # type: ignore[arg-type]  # so that it cannot load
    nncf = importlib.import_module("nncf")
    preset = nncf.QuantizationPreset.MIXED if way.mixed else nncf.QuantizationPreset.PERFORMANCE
    left = nncf.IgnoredScope(names=_left_alone(graph, way))
    nncf.set_log_level(logging.ERROR)
    with redirect_stdout(io.StringIO()):  # its progress bars, also where there is no terminal
        return nncf.quantize(
            graph,
            nncf.Dataset([image[None] for image in images]),
            preset=preset,
            subset_size=len(images),
            fast_bias_correction=not way.accurate_bias,
            ignored_scope=left if left.names else None,
        )


def _left_alone(graph: Any, way: Way) -> list[str]:
    """Names of the convolutions that stay in single precision."""
    kinds = ((node.get_type_name(), node.get_friendly_name()) for node in graph.get_ordered_ops())
    convolutions = [name for kind, name in kinds if kind == "Convolution"]
    first, *_, before, last, head = convolutions
    return [first, head] * way.ends + [before, last] * way.last_level
