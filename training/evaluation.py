"""Honest metrics: per patient, on whole volumes and the scan's own grid."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from model.network import Network
from model.reading.nifti import read_nifti
from model.segmentation import segment
from training.cases import Case
from training.metrics import dice


@dataclass(frozen=True)
class CaseResult:
    """One patient: 3D Dice against the drawn mask, and voxels drawn and found."""

    patient: str
    dice: float
    drawn_voxels: int
    found_voxels: int


@dataclass(frozen=True)
class Judge:
    """How masks are made: as in a report, with the settings' threshold and smallest lesion."""

    network: Network
    threshold: float
    smallest_mm3: float
    flips: bool


def evaluate(
    cases: Iterable[Case], judge: Judge, advance: Callable[[], object] = lambda: None
) -> list[CaseResult]:
    """Segment each case and compare. Raises UnreadableScan when a case cannot be read."""
    results = []
    for case in cases:
        results.append(_evaluate(case, judge))
        advance()
    return results


def summary(results: list[CaseResult], weights_sha256: str) -> dict[str, Any]:
    """All patients, and mean, median and worst of their Dice."""
    scores = [result.dice for result in results]
    return {
        "weights_sha256": weights_sha256,
        "patients": len(results),
        "mean_dice": round(statistics.fmean(scores), 4),
        "median_dice": round(statistics.median(scores), 4),
        "worst_dice": round(min(scores), 4),
        "cases": [asdict(result) | {"dice": round(result.dice, 4)} for result in results],
    }


def _evaluate(case: Case, judge: Judge) -> CaseResult:
    volume = read_nifti(case.flair)
    drawn = read_nifti(case.mask).voxels > 0
    found = segment(volume, judge.network, judge.threshold, judge.smallest_mm3, judge.flips)
    mask = np.asarray(found.mask, dtype=bool)
    return CaseResult(case.patient, dice(mask, drawn), int(drawn.sum()), int(mask.sum()))
