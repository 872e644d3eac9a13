"""What travels with weights as plain numbers: preparation, shapes, classes, name and hash."""

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Literal

PICTURE_FILL = 0.93  # share of the rows that the head takes in a picture without a scale


@dataclass(frozen=True)
class Preparation:
    """How scans are put before a network; it travels with the weights.

    rows, columns: the window, in pixels. pixel_mm: their size (larger where the head would not
    fit); None stretches each whole slice to the window. intensity: "head" scales by the head's
    median, "slice" from the darkest to the brightest voxel of each slice.
    """

    rows: int = 160
    columns: int = 144
    pixel_mm: float | None = 1.5
    intensity: Literal["head", "slice"] = "head"


STANDARD = Preparation()
SEED = Preparation(rows=96, columns=96, pixel_mm=None, intensity="slice")  # the demo's


@dataclass(frozen=True)
class UNetShape:
    """What must be known to build the network again: it travels with the weights.

    stem: 2 folds each square of 2 x 2 pixels into the channels of one before the first level
    and unfolds it after the last (Shi et al., CVPR 2016): half the grid, so the same time
    buys twice the width; 1 leaves the pixels as they are.
    """

    inputs: int = 3
    width: int = 16
    levels: int = 5
    stem: int = 1

    def as_dict(self) -> dict[str, int]:
        """Plain numbers, for a checkpoint or a file header."""
        return asdict(self)


SEED_SHAPE = UNetShape(inputs=1, width=64, levels=4)  # the well-known demo's


class InputClass(StrEnum):
    """An axial FLAIR of a head, or why it is none."""

    FLAIR = "flair"
    CONTRAST = "contrast"
    VIEW = "view"
    NO_HEAD = "no_head"
    TURNED = "turned"  # an axial FLAIR on its side or upside down


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


CLASSES = tuple(InputClass)


@dataclass(frozen=True)
class InputCheckShape:
    """What must be known to build the input check again: it travels with the weights."""

    width: int = 16

    def as_dict(self) -> dict[str, int]:
        """Plain numbers, for a checkpoint or a file header."""
        return asdict(self)
