"""How much a volume varies when the same head is scanned again: what a change must exceed.

Differences between repeated measurings are alike at all sizes once a volume is seen as the
logarithm of itself and a small offset. From the differences that were met follows the repeatability
coefficient (Bland and Altman, BMJ 1996): 19 of 20 differences stay below it. Measured with some
weights alone (tools/experiments/repeated_scans.py; figures in MODEL_CARD.md).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

SHIPPED = "repeatability.json"
ALIKE_RATIO = 1.1  # of two spacings: up to here both scans were made in the same way
ALIKE_DEGREES = 5.0  # between two planes, likewise


@dataclass(frozen=True)
class Repeatability:
    """The measured numbers. offset_ml: what is added to a volume before its logarithm is taken;
    alike, other: the repeatability coefficient of that logarithm, for scans that were made in the
    same way, and for those with other voxels or another plane that still can be compared;
    threshold: that of the masks; weights_sha256: who made them."""

    offset_ml: float
    alike: float
    other: float
    threshold: float
    weights_sha256: str

    def range_ml(self, before_ml: float, made_alike: bool) -> tuple[float, float]:
        """Between which volumes (ml) a repeated measuring lies in 19 of 20 cases."""
        factor = math.exp(self.alike if made_alike else self.other)
        shifted = before_ml + self.offset_ml
        return max(shifted / factor - self.offset_ml, 0.0), shifted * factor - self.offset_ml


def load_repeatability(weights_sha256: str, threshold: float) -> Repeatability | None:
    """The shipped numbers; None for masks of other weights, or at another threshold.

    Also None as long as nothing was measured with the shipped weights.
    """
    file = resources.files("model.weights") / SHIPPED
    if not file.is_file():
        return None
    measured = read_repeatability(json.loads(file.read_text(encoding="utf-8")))
    same = measured.weights_sha256 == weights_sha256 and measured.threshold == threshold
    return measured if same else None


def read_repeatability(content: Mapping[str, object]) -> Repeatability:
    """From the plain values of its file."""
    names = ("offset_ml", "alike", "other", "threshold")
    numbers = {name: float(str(content[name])) for name in names}
    return Repeatability(**numbers, weights_sha256=str(content["weights_sha256"]))
