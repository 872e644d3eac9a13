"""From a checkpoint to the weights that are shipped: half precision, described in the header."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from training.loop import load_checkpoint

NAMES = {"gate": "gliowatch-flair-gate"}  # by recipe; else NAME


NAME = "gliowatch-flair-unet"


def export_weights(checkpoint: Path, target: Path) -> dict[str, str]:
    """Write the averaged network of a checkpoint as fp16 safetensors; the header that it got."""
    saved = load_checkpoint(checkpoint)
    header = header_of(saved)
    save_weights(tensors_of(saved), header, target)
    return header


def tensors_of(saved: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The averaged network's tensors in half precision.

    The counters of batch normalisation are left out: they do not matter once trained.
    """
    return {
        name: value.half().contiguous()
        for name, value in saved["model_state_dict"].items()
        if torch.is_floating_point(value)
    }


def header_of(saved: dict[str, Any]) -> dict[str, str]:
    """What the weights are and where they come from, as the strings that the format allows.

    Where no patient was put aside, as in a last round on all, there is no validation Dice.
    """
    header = {
        "name": NAMES.get(saved["plan"].get("recipe"), NAME),
        "shape": json.dumps(saved["shape"]),
        "preparation": json.dumps(saved.get("preparation", {})),
        "plan": json.dumps(saved["plan"]),
        "origin": json.dumps(saved["origin"]),
        "split_sha256": saved["split_sha256"],
        "step": str(saved["step"]),
        "validation_dice": f"{saved['validation_dice']:.4f}",
        "license": "CC BY-NC-SA 4.0",
    }
    if not math.isfinite(saved["validation_dice"]):
        del header["validation_dice"]
    return header


def save_weights(tensors: dict[str, torch.Tensor], header: dict[str, str], target: Path) -> None:
    """Write whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    save_file(tensors, partial, metadata=header)
    partial.chmod(0o644)  # the library writes it for its owner alone
    partial.replace(target)
