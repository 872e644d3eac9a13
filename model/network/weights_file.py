"""Weights files: safetensors as they are shipped, and checkpoints; neither can run code."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from model.catalogue import text
from model.errors import WeightsError
from model.inference.confidence import Certainty
from model.volume import FloatArray
from model.weights_config import SEED, SEED_SHAPE, Preparation, UNetShape

MEMBERS = "members"  # key of the header: how many networks the file holds
MOST_MEMBERS, MOST_PIXELS = 32, 4096

Tensors = dict[str, FloatArray]


@dataclass(frozen=True)
class Member:
    """One network of a file: its shape, and what it learned by the names that torch gives."""

    shape: UNetShape
    tensors: Tensors


@dataclass(frozen=True)
class Weights:
    """What a weights file holds; `sha256` is that of the file.

    fast: how many of the members analyze when it must be quick; splits: SHA-256 of the split that
    each was trained on; certainty: how far their word can be trusted, None when that was not
    measured; certainty_stripped: the same for heads without skull, where it was measured apart.
    """

    name: str
    sha256: str
    members: tuple[Member, ...]
    preparation: Preparation
    fast: int = 1
    splits: tuple[str, ...] = ()
    certainty: Certainty | None = None
    certainty_stripped: Certainty | None = None


def read_weights(path: Path) -> Weights:
    """All that a weights file holds; nothing says yet that it is a network of ours.

    A checkpoint (.pth) of training, or of the well-known demo, is read where torch is: its
    `model_state_dict`, without running code from the file. Raises whatever hostile bytes cause.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if path.suffix in (".pth", ".pt"):
        return _from_checkpoint(path, digest)
    return _from_safetensors(path, digest)


def read_safetensors(path: Path) -> tuple[dict[str, str], Tensors]:
    """The header and the tensors, as float32."""
    with safe_open(path, "np") as stored:
        names = stored.keys()
        tensors = {name: stored.get_tensor(name).astype(np.float32) for name in names}
        return stored.metadata() or {}, tensors


def _from_safetensors(path: Path, digest: str) -> Weights:
    about, tensors = read_safetensors(path)
    parts = _parts(tensors, about)
    shapes = json.loads(about["shapes"]) if MEMBERS in about else [json.loads(about["shape"])]
    members = tuple(
        Member(UNetShape(**shape), part) for shape, part in zip(shapes, parts, strict=True)
    )
    fast = int(about.get("fast", 1))
    if not 1 <= fast <= len(members):
        raise ValueError("no network to judge")
    return Weights(
        name=about.get("name", path.stem),
        sha256=digest,
        members=members,
        preparation=_preparation(json.loads(about.get("preparation", "{}"))),
        fast=fast,
        splits=tuple(json.loads(about.get("splits", "[]"))),
        certainty=_certainty(json.loads(about.get("certainty", "null"))),
        certainty_stripped=_certainty(json.loads(about.get("certainty_stripped", "null"))),
    )


def _from_checkpoint(path: Path, digest: str) -> Weights:
    """A checkpoint of ours, or one that says nothing of itself, as the demo's: then its shape."""
    try:
        import torch
    except ModuleNotFoundError:
        raise WeightsError(text("weights.needs_torch")) from None
    saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    shape = UNetShape(**saved["shape"]) if "shape" in saved else SEED_SHAPE
    preparation = _preparation(saved["preparation"]) if "preparation" in saved else SEED
    tensors = {name: tensor.float().numpy() for name, tensor in saved["model_state_dict"].items()}
    return Weights(path.stem, digest, (Member(shape, tensors),), preparation)


def _parts(tensors: Tensors, about: dict[str, str]) -> list[Tensors]:
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


def _certainty(numbers: dict[str, float] | None) -> Certainty | None:
    if not numbers:
        return None
    return Certainty(**{name: float(value) for name, value in numbers.items()})
