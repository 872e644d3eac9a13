"""How well a mask agrees with a person's by surface and lesion by lesion."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from scipy import ndimage

from model.overlap import Mask
from model.segmentation import CONNECTED_26


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
