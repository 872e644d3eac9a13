"""What a weights file says of itself, read without torch: for who shows it and judges nothing."""

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

SHIPPED = "flair_unet.safetensors"
LONGEST_HEADER = 100_000_000  # bytes, the limit of the format itself


@dataclass(frozen=True)
class Weights:
    """The network's name and the SHA-256 of its file."""

    name: str
    sha256: str


def about_weights(file: Path | None = None) -> Weights | None:
    """Name and hash of a weights file, or of those shipped; None where it cannot be read.

    A safetensors file begins with the length of its header (8 bytes, little endian), then the
    header as JSON: https://github.com/huggingface/safetensors#format
    """
    if file is None:
        with resources.as_file(resources.files("model.weights") / SHIPPED) as shipped:
            return about_weights(shipped)
    try:
        content = file.read_bytes()
    except OSError:
        return None
    return Weights(_name(content) or file.stem, hashlib.sha256(content).hexdigest())


def _name(content: bytes) -> str:
    length = int.from_bytes(content[:8], "little")
    if not 0 < length <= min(len(content) - 8, LONGEST_HEADER):
        return ""
    try:
        header = json.loads(content[8 : 8 + length])
        return str(header["__metadata__"]["name"])
    except (ValueError, KeyError, TypeError):  # a checkpoint, which bears no name
        return ""
