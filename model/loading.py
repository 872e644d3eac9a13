"""Weights files: safetensors as they are shipped, and checkpoints; neither can run code."""

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from model.certainty import Certainty
from model.errors import WeightsError
from model.framing import SEED, Preparation
from model.network import Network
from model.unet import SEED_SHAPE, UNet, UNetShape
from model.weights_about import SHIPPED

MEMBERS = "members"  # key of the header: how many networks the file holds
MOST_MEMBERS, MOST_PIXELS = 32, 4096


def load_network(weights: Path | None = None, device: str = "cpu", threads: int = 0) -> Network:
    """The network in a safetensors file; without one, the weights shipped in this package.

    A checkpoint (.pth) of training, or of the well-known demo, loads too: its
    `model_state_dict`, read without running code from the file.
    threads: how many processor threads this process may use for it; 0 leaves torch's choice.

    Raises WeightsError when the file is missing, damaged, or not of this network.
    """
    if threads:
        torch.set_num_threads(threads)
    if weights is None:
        with resources.as_file(resources.files("model.weights") / SHIPPED) as shipped:
            return _load(shipped, device)
    return _load(weights, device)


def _load(path: Path, device: str) -> Network:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if path.suffix in (".pth", ".pt"):
            return _from_checkpoint(path, digest, device)
        return _from_safetensors(path, digest, device)
    except FileNotFoundError:
        raise WeightsError("The weights file is not there.") from None
    except Exception:  # torch and safetensors raise many kinds on hostile bytes
        raise WeightsError("The weights file is damaged, or not of this network.") from None


def _from_safetensors(path: Path, digest: str, device: str) -> Network:
    about, tensors = read_safetensors(path)
    parts = _members(tensors, about)
    shapes = json.loads(about["shapes"]) if MEMBERS in about else [json.loads(about["shape"])]
    nets = tuple(
        _built(UNetShape(**shape), part, device) for shape, part in zip(shapes, parts, strict=True)
    )
    fast = int(about.get("fast", 1))
    if not 1 <= fast <= len(nets):
        raise ValueError("no network to judge")
    certainty = json.loads(about.get("certainty", "null"))
    return Network(
        about.get("name", path.stem),
        digest,
        nets,
        device,
        _preparation(json.loads(about.get("preparation", "{}"))),
        fast,
        tuple(json.loads(about.get("splits", "[]"))),
        Certainty(**{name: float(value) for name, value in certainty.items()})
        if certainty
        else None,
    )


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The header and the tensors, as float32."""
    with safe_open(path, "pt") as stored:
        tensors = {name: stored.get_tensor(name).float() for name in stored.keys()}  # noqa: SIM118
        return stored.metadata() or {}, tensors


def _from_checkpoint(path: Path, digest: str, device: str) -> Network:
    """A checkpoint of ours, or one that says nothing of itself, as the demo's: then its shape."""
    saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    shape = UNetShape(**saved["shape"]) if "shape" in saved else SEED_SHAPE
    preparation = _preparation(saved["preparation"]) if "preparation" in saved else SEED
    net = _built(shape, saved["model_state_dict"], device)
    return Network(path.stem, digest, (net,), device, preparation)


def _members(tensors: dict[str, Tensor], about: dict[str, str]) -> list[dict[str, Tensor]]:
    """The tensors of each member: all of them, or those named `<number>.<name>`."""
    if MEMBERS not in about:
        return [tensors]
    return [
        {
            name.removeprefix(f"{number}."): tensor
            for name, tensor in tensors.items()
            if name.startswith(f"{number}.")
        }
        for number in range(min(int(about[MEMBERS]), MOST_MEMBERS))
    ]


def _preparation(numbers: dict[str, Any]) -> Preparation:
    made = Preparation(**numbers)
    if not (0 < made.rows <= MOST_PIXELS and 0 < made.columns <= MOST_PIXELS):
        raise ValueError("no window")
    return made


def fill(net: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give a network all that it learned, ready to judge; counters of batches may be missing.

    Raises ValueError for a tensor too few or too many, or one that holds no numbers.
    """
    keys = net.load_state_dict(tensors, strict=False)
    if keys.unexpected_keys or any("num_batches" not in name for name in keys.missing_keys):
        raise ValueError("not of this shape")
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise ValueError("weights that are no numbers")
    net.eval()


def _built(shape: UNetShape, tensors: dict[str, Tensor], device: str) -> UNet:
    net = UNet(shape)
    fill(net, tensors)
    net.to(device)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net
