"""Weights files: safetensors as they are shipped, and checkpoints; neither can run code."""

import hashlib
import json
from importlib import resources
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from model.certainty import Certainty
from model.errors import WeightsError
from model.framing import SEED, Preparation
from model.network import Network
from model.unet import UNet, UNetShape

SHIPPED = "flair_unet.safetensors"
MEMBERS = "members"  # key of the header: how many networks the file holds
DEMO_SHAPE = {"inputs": 1, "width": 64, "levels": 4}


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
    except (
        OSError,
        SafetensorError,
        UnpicklingError,
        KeyError,
        ValueError,
        TypeError,
        RuntimeError,
    ):
        raise WeightsError("The weights file is damaged, or not of this network.") from None


def _from_safetensors(path: Path, digest: str, device: str) -> Network:
    with safe_open(path, "pt") as stored:
        about = stored.metadata() or {}
        tensors = {name: stored.get_tensor(name).float() for name in stored.keys()}  # noqa: SIM118
    shape = UNetShape(**json.loads(about["shape"]))
    certainty = json.loads(about.get("certainty", "null"))
    return Network(
        about.get("name", path.stem),
        digest,
        tuple(_built(shape, part, device) for part in _members(tensors, about)),
        device,
        Preparation(**json.loads(about.get("preparation", "{}"))),
        int(about.get("fast", 1)),
        tuple(json.loads(about.get("splits", "[]"))),
        Certainty(**certainty) if certainty else None,
    )


def _from_checkpoint(path: Path, digest: str, device: str) -> Network:
    """A checkpoint of ours, or one that says nothing of itself, as the demo's: then its shape."""
    saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    shape = UNetShape(**saved.get("shape", DEMO_SHAPE))
    preparation = Preparation(**saved["preparation"]) if "preparation" in saved else SEED
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
        for number in range(int(about[MEMBERS]))
    ]


def _built(shape: UNetShape, tensors: dict[str, Tensor], device: str) -> UNet:
    net = UNet(shape)
    missing, unknown = net.load_state_dict(tensors, strict=False)
    if unknown or any("num_batches_tracked" not in name for name in missing):
        raise ValueError("not of this shape")
    net.eval()
    net.to(device)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net
