"""How well a mask agrees with a person's: by surface, lesion by lesion, and pixel by pixel."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from numpy.typing import NDArray
from scipy import ndimage

from model.geometry import Mask, dice
from model.inference.segmentation import CONNECTED_26


@dataclass(frozen=True)
class LesionCounts:
    """drawn: a person's lesions; hit: those that touch a found one; false: found, touching none."""

    drawn: int
    hit: int
    false: int


def hausdorff_95(predicted: Mask, drawn: Mask, spacing: tuple[float, float, float]) -> float | None:
    """95th percentile of the distances between two surfaces, the larger of both directions.

    In the unit of `spacing` (i, j, k). None if a mask is empty: there is no surface then.
    Huttenlocher et al., IEEE PAMI 15 (1993) 850, in MONAI's implementation.
    """
    either = predicted | drawn
    if not (predicted.any() and drawn.any()):
        return None
    (box,) = ndimage.find_objects(either.astype(np.uint8))
    assert box is not None, "a mask that is not empty has a box"
    found, person = (
        torch.from_numpy(np.pad(mask[box], 1)[None, None].astype(np.float32))
        for mask in (predicted, drawn)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI warns of a call inside itself
        distance = compute_hausdorff_distance(
            found,
            person,
            include_background=True,
            percentile=95,
            spacing=[float(step) for step in spacing],
        )
    return float(distance)


def count_lesions(predicted: Mask, drawn: Mask) -> LesionCounts:
    """Lesion-wise agreement of 26-connected pieces; one shared voxel is a hit."""
    theirs, drawn_count = ndimage.label(drawn, CONNECTED_26)
    ours, _ = ndimage.label(predicted, CONNECTED_26)
    hit = np.unique(theirs[predicted])
    touching = np.unique(ours[drawn])
    found = np.unique(ours)
    return LesionCounts(
        int(drawn_count),
        int((hit > 0).sum()),
        int((found > 0).sum() - (touching > 0).sum()),
    )


BINS = 10


@dataclass(frozen=True)
class Confusion:
    """Pixels by what a person drew and what was found, added up over many slices."""

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    true_negative: int = 0

    def __add__(self, other: "Confusion") -> "Confusion":
        """Both counts together."""
        return Confusion(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
            self.true_negative + other.true_negative,
        )

    def rates(self) -> dict[str, float | None]:
        """Accuracy, F1, sensitivity and specificity; None where nothing is there to divide by."""
        tp, fp, fn, tn = (
            self.true_positive,
            self.false_positive,
            self.false_negative,
            self.true_negative,
        )
        return {
            "accuracy": _ratio(tp + tn, tp + fp + fn + tn),
            "f1": _ratio(2 * tp, 2 * tp + fp + fn),
            "sensitivity": _ratio(tp, tp + fn),
            "specificity": _ratio(tn, tn + fp),
        }


@dataclass(frozen=True)
class SliceScores:
    """Dice of each slice and the pixel counts, for the slices with drawn tumor and for all.

    free_marked: slices without drawn tumor on which something was found.
    """

    tumor_dice: tuple[float, ...]
    all_dice: tuple[float, ...]
    tumor_pixels: Confusion
    all_pixels: Confusion
    free_marked: int


def score_slices(predicted: Mask, drawn: Mask, axis: int) -> SliceScores:
    """Analyze slice by slice across `axis`; a slice empty in both masks has Dice 1."""
    ours, theirs = np.moveaxis(predicted, axis, 0), np.moveaxis(drawn, axis, 0)
    with_tumor: Mask = np.asarray(theirs.any(axis=(1, 2)))
    scores = [dice(a, b) for a, b in zip(ours, theirs, strict=True)]
    return SliceScores(
        tuple(score for score, has in zip(scores, with_tumor, strict=True) if has),
        tuple(scores),
        _confusion(ours[with_tumor], theirs[with_tumor]),
        _confusion(ours, theirs),
        int(ours[~with_tumor].any(axis=(1, 2)).sum()),
    )


@dataclass(frozen=True)
class Calibration:
    """Voxels of the head by predicted probability: how many, their sum, how many were drawn.

    Three arrays of BINS bins of equal width. ece() after Naeini et al., AAAI 2015.
    """

    count: NDArray[np.float64]
    probability: NDArray[np.float64]
    drawn: NDArray[np.float64]

    def __add__(self, other: "Calibration") -> "Calibration":
        """Both sets of voxels together."""
        return Calibration(
            self.count + other.count,
            self.probability + other.probability,
            self.drawn + other.drawn,
        )

    def ece(self) -> float:
        """Expected calibration error: mean gap between probability and frequency, by voxels."""
        total = float(self.count.sum())
        return float(np.abs(self.drawn - self.probability).sum() / total) if total else 0.0

    def curve(self) -> list[dict[str, Any]]:
        """Mean probability and drawn frequency of each bin that is not empty."""
        return [
            {"voxels": int(n), "probability": round(p / n, 4), "drawn": round(d / n, 4)}
            for n, p, d in zip(self.count, self.probability, self.drawn, strict=True)
            if n
        ]


def calibrate(probability: NDArray[np.float32], drawn: Mask, head: Mask) -> Calibration:
    """Sort the voxels of the head into bins of probability."""
    p = probability[head].astype(np.float64)
    bins = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    return Calibration(
        np.bincount(bins, minlength=BINS).astype(np.float64),
        np.bincount(bins, weights=p, minlength=BINS).astype(np.float64),
        np.bincount(bins, weights=drawn[head], minlength=BINS).astype(np.float64),
    )


def _confusion(predicted: Mask, drawn: Mask) -> Confusion:
    return Confusion(
        int((predicted & drawn).sum()),
        int((predicted & ~drawn).sum()),
        int((~predicted & drawn).sum()),
        int((~predicted & ~drawn).sum()),
    )


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 5) if whole else None
