"""How scans are put before a network, as values that travel with its weights."""

from dataclasses import dataclass
from typing import Literal


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
