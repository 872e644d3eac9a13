"""Tumor or not? A few numbers tell whether what was marked looks like a tumor.

White-matter disease is marked as well: in many small places, and with little certainty. Each
lesion gets a chance to be tumor from what is measured of it and of the scan; a scan in which no
lesion reaches the line has none. Fitted to scans with and without tumor, and to the masks of one
weights file alone (training/calibration/tumor_check_fit.py; rates in MODEL_CARD.md).
"""

import json
from dataclasses import astuple, dataclass, fields
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from model.geometry import box_around
from model.inference.confidence import promised_dice
from model.inference.segmentation import Segmentation
from model.measurement.findings import Findings, number_lesions
from model.volume import MaskArray, Volume

SHIPPED = "tumor_check.json"
FARTHEST = 3.0  # spreads from the middle: nothing was met beyond


@dataclass(frozen=True)
class Evidence:
    """What is looked at of a lesion; no millimetres, since they may be assumed.

    size: logarithm of its share of the head; bright: its brightness, of the head's median; share:
    of all that is marked; others: logarithm of how many pieces are marked; sharp: the overlap with
    a person's mask that the probabilities promise.
    """

    size: float
    bright: float
    share: float
    others: float
    sharp: float


NAMES = tuple(field.name for field in fields(Evidence))


@dataclass(frozen=True)
class TumorCheck:
    """The fitted numbers, by the names of Evidence. middle, spread: of the scans that it was fitted
    to; weight: of what lies `spread` beyond `middle`; offset: of the logit; line: the least chance
    of a tumor; threshold: that of the masks; weights_sha256: who made them."""

    middle: tuple[float, ...]
    spread: tuple[float, ...]
    weight: tuple[float, ...]
    offset: float
    line: float
    threshold: float
    weights_sha256: str

    def chance(self, evidence: Evidence) -> float:
        """That a lesion is tumor, 0 to 1."""
        beyond = (np.array(astuple(evidence)) - self.middle) / np.array(self.spread)
        logit = float(np.clip(beyond, -FARTHEST, FARTHEST) @ np.array(self.weight)) + self.offset
        return float(1 / (1 + np.exp(-np.clip(logit, -50, 50))))

    def has_tumor(self, evidence: tuple[Evidence, ...]) -> bool:
        """Whether one of the lesions of a scan reaches the line."""
        return any(self.chance(each) >= self.line for each in evidence)


def load_tumor_check(weights_sha256: str, threshold: float) -> TumorCheck | None:
    """The shipped numbers; None for masks of other weights, or at another threshold."""
    content = json.loads((resources.files("model.weights") / SHIPPED).read_text(encoding="utf-8"))
    check = read_tumor_check(content)
    same = check.weights_sha256 == weights_sha256 and check.threshold == threshold
    return check if same else None


def read_tumor_check(content: dict[str, object]) -> TumorCheck:
    """From the plain values of its file: `evidence` has three numbers for each name."""
    evidence = content["evidence"]
    assert isinstance(evidence, dict)
    columns = zip(*(evidence[name] for name in NAMES), strict=True)
    middle, spread, weight = (tuple(float(number) for number in column) for column in columns)
    line, offset, threshold = (
        float(str(content[name])) for name in ("line", "offset", "threshold")
    )
    return TumorCheck(
        middle, spread, weight, offset, line, threshold, str(content["weights_sha256"])
    )


def evidence_of(
    volume: Volume, segmentation: Segmentation, findings: Findings
) -> tuple[Evidence, ...]:
    """What is looked at of each lesion, in the order of the findings; nothing for a picture."""
    if volume.is_picture or not findings.lesions:
        return ()
    head = max(int(np.count_nonzero(volume.levels.head(volume.voxels))), 1)
    sharp = promised_dice(segmentation.mask, segmentation.probability)
    return tuple(
        Evidence(
            size=float(np.log(lesion.voxels / head)),
            bright=float(level),
            share=lesion.voxels / findings.voxels,
            others=float(np.log(len(findings.lesions))),
            sharp=sharp,
        )
        for lesion, level in zip(
            findings.lesions, _brightness(volume, segmentation.mask), strict=True
        )
    )


def _brightness(volume: Volume, mask: MaskArray) -> NDArray[np.float64]:
    """Mean of each lesion, in multiples of the head's median."""
    numbered = number_lesions(mask, volume.affine)
    box = box_around(numbered > 0)
    own = numbered[box].ravel()
    shown = volume.levels.bright(volume.voxels[box]).ravel()
    sums = np.bincount(own, shown)[1:] / np.bincount(own)[1:]
    bright: NDArray[np.float64] = sums / max(volume.levels.middle, 1e-6)
    return bright
