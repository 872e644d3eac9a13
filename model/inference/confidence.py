"""How far a mask can be trusted: honest probabilities, a range of the volume, and a confidence.

All numbers were fitted on patients that the analyzing network had not learned from, and travel
with its weights (training/calibration/confidence_fit.py; rates in MODEL_CARD.md).
"""

from dataclasses import dataclass

import numpy as np

from model.geometry import box_around
from model.volume import FloatArray, MaskArray

EDGE = 1e-6  # probabilities are kept so far from 0 and 1 where a logit is taken
LARGEST = np.float32(80)  # exponent: e^89 is more than single precision holds
SURE, UNSURE = 0.8, 0.2  # probabilities: the mask at each tells how sharp its border is


@dataclass(frozen=True)
class Trust:
    """What a report says. confidence: the Dice to be expected, 0 to 1; low, high: the volume
    range, as factors of the volume found."""

    confidence: float
    low: float
    high: float


@dataclass(frozen=True)
class Certainty:
    """The fitted numbers.

    slope: of the logits, temperature scaling (Guo et al., ICML 2017): 0.5 stays 0.5, so that no
    mask changes. offset: added to them, for heads of which the network marks too little: 0.5 is
    then where masks fit best, and what lies above it is a little less sure than it says.
    confidence_slope, confidence_offset: from the overlap that the probabilities promise to the
    Dice to be expected. low, high: quantiles of the logarithm of drawn over found volume, each
    in units of `base` + the logarithm of unsure over sure volume (split conformal prediction
    with normalised scores: Lei et al., JASA 2018), a unit that is never taken as larger than
    `widest`, the largest that was met. rate: share of the scans whose true volume should lie in
    the range. threshold: that of the masks; nothing is known of others.
    """

    slope: float
    confidence_slope: float
    confidence_offset: float
    low: float
    high: float
    base: float
    widest: float
    rate: float
    threshold: float
    offset: float = 0.0

    def calibrated(self, probability: FloatArray) -> FloatArray:
        """Probabilities that mean what they say: float32, same shape; a plain 0 stays 0."""
        honest = np.zeros_like(probability)
        every, mine = probability.ravel(order="K"), honest.ravel(order="K")  # as they are stored
        seen = every > EDGE  # few of all voxels, and the logarithms take time
        odds = np.minimum(every[seen], np.float32(1 - EDGE))
        odds /= 1 - odds
        logit = self.slope * np.log(odds) + np.float32(self.offset)
        mine[seen] = 1 / (1 + np.exp(np.minimum(-logit, LARGEST)))
        return honest

    def trust(self, mask: MaskArray, probability: FloatArray) -> Trust | None:
        """For a mask and its probabilities (same shape); None for an empty mask."""
        if not mask.any():
            return None
        width = min(self.base + spread(probability), self.widest)
        expected = self.confidence_slope * promised_dice(mask, probability)
        return Trust(
            float(np.clip(expected + self.confidence_offset, 0, 1)),
            float(np.exp(min(self.low * width, 0))),
            float(np.exp(max(self.high * width, 0))),
        )


def promised_dice(mask: MaskArray, probability: FloatArray) -> float:
    """The Dice of the mask with a truth drawn from the probabilities, approximately."""
    box = box_around(mask > 0)
    inside = probability[box][mask[box] > 0]
    return 2 * float(inside.sum()) / (inside.size + float(probability.sum()))


def spread(probability: FloatArray) -> float:
    """Logarithm of unsure over sure volume: 0 for a sharp border, large for a vague one."""
    unsure, sure = (np.count_nonzero(probability >= level) for level in (UNSURE, SURE))
    return float(np.log((unsure + 1) / (sure + 1)))
