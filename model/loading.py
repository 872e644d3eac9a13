"""From a weights file to a network that is ready to judge on this machine's device."""

from importlib import resources
from pathlib import Path

from model.engine import Engine, best_device
from model.errors import WeightsError
from model.network import Network
from model.weights_about import SHIPPED
from model.weights_file import Member, Weights, read_weights


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
        raise WeightsError("The weights file is not there.") from None
    except WeightsError:
        raise
    except Exception:  # the libraries raise many kinds on hostile bytes
        raise WeightsError("The weights file is damaged, or not of this network.") from None
    return Network(**vars(read), engines=engines, device=device)


def _engine(member: Member, weights: Weights, device: str, threads: int) -> Engine:
    if device != "cpu":
        from model.engine_torch import TorchEngine  # torch: a processor needs none

        return TorchEngine(member, device)
    from model.engine_openvino import OpenVINOEngine
    from model.graphs import unet_graph

    window = weights.preparation
    graph = unet_graph(member.shape, member.tensors, window.rows, window.columns)
    return OpenVINOEngine(graph, threads)
