"""Checkpoints: written whole or not at all, and read without running code from the file."""

import os
from pathlib import Path
from typing import Any

import torch

LATEST = "latest_checkpoint.pth"
BEST = "best_model.pth"


def save_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Write beside the target, sync, rename: a kill leaves the old checkpoint or the new one."""
    partial = path.with_suffix(".part")
    with partial.open("wb") as stream:
        torch.save(content, stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Tensors and plain values only (`weights_only`): a hostile file cannot run code."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content
