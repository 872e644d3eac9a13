"""Where a lesion lies: its side, how far it reaches across the midline, and its third in words."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from model.measurement.midplane import Midplane, Span

ONE_SIDED = 0.75  # share of a lesion that must lie on one side to be called left or right
CROSSING_MM = 3.0  # to both sides: less may be the plane's own error (it repeats to 1.1 mm)


class Side(StrEnum):
    """The patient's own left and right."""

    LEFT = "left"
    RIGHT = "right"
    MIDLINE = "midline"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Place:
    """Where a lesion lies in the head; None where that is not known.

    across_midline_mm: how far its outer edge lies beyond the mid-plane, on the side where it
    reaches less far; 0 for a lesion that does not touch the plane.
    to_front: "posterior", "middle" or "anterior"; to_top: "inferior", "middle" or "superior".
    """

    side: Side = Side.UNKNOWN
    across_midline_mm: float | None = None
    to_front: str | None = None
    to_top: str | None = None

    @property
    def crosses_midline(self) -> bool | None:
        """Whether it reaches further than CROSSING_MM to both sides of the mid-plane."""
        return None if self.across_midline_mm is None else self.across_midline_mm > CROSSING_MM


def place_of(
    points: NDArray[np.float64], corners: NDArray[np.float64], midplane: Midplane | None
) -> Place:
    """The place of a lesion. points: (n, 3) RAS mm, its voxels' middles; corners: (m, 3), its
    convex hull's (`model/measurement/findings.py`). The thirds are those of the voxels' mean in the
    brain's extent (`model/measurement/midplane.py`).
    """
    if midplane is None:
        return Place()
    beyond = midplane.signed_distance(corners)
    across = max(0.0, min(float(beyond.max()), float(-beyond.min())))
    side, brain = _side(points, midplane), midplane.brain
    if brain is None:
        return Place(side, across)
    centroid = points.mean(axis=0)
    return Place(
        side,
        across,
        _third(brain.to_front, centroid, ("posterior", "middle", "anterior")),
        _third(brain.to_top, centroid, ("inferior", "middle", "superior")),
    )


def _side(points: NDArray[np.float64], midplane: Midplane) -> Side:
    distance = midplane.signed_distance(points)
    share_right = float((distance > 0).mean()) + float((distance == 0).mean()) / 2
    if share_right >= ONE_SIDED:
        return Side.RIGHT
    return Side.LEFT if share_right <= 1 - ONE_SIDED else Side.MIDLINE


def _third(span: Span, point: NDArray[np.float64], words: tuple[str, str, str]) -> str:
    return words[min(2, max(0, int(np.floor(3 * span.share(point)))))]
