"""How far the brain reaches from back to front and from bottom to top, in a fitted head."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]

CALOTTE_MM = 80.0  # below the top of the head: there it is cranium alone, without nose and neck
HEIGHT = 0.75  # of the head's length: from its top to the skull base
LEAST_AREA = 0.05  # of the largest section: what is less is no part of the head's extent
SECTION_MM = 4.0


@dataclass(frozen=True)
class Span:
    """One way through the brain: `direction @ x` (x in RAS mm) runs from `first` to `last`."""

    direction: Vectors
    first: float
    last: float

    def share(self, point: Vectors) -> float:
        """Where a point lies on the way: 0 at the first end, 1 at the last; beyond them too."""
        return float(self.direction @ point - self.first) / (self.last - self.first)


@dataclass(frozen=True)
class Extent:
    """The brain from back to front and from bottom to top."""

    to_front: Span
    to_top: Span


def brain_extent(head: Vectors, right: Vectors) -> Extent | None:
    """The brain's extent from the points of a head; None where there is no length in it.

    head: (n, 3) mm, evenly spread; right: unit vector. Up is the body's axis as the scanner knows
    it, turned at right angles to `right`. From back to front the cranium counts as it is within
    CALOTTE_MM of its top; downwards the brain ends where the scan does, at HEIGHT times that
    length at most. Scalp and skull are not taken off, so an end is up to about a centimetre out.
    """
    up = np.array([0, 0, 1]) - right[2] * right
    up /= np.linalg.norm(up)
    front = np.cross(up, right)
    bottom, top = _ends(head @ up)
    back, tip = _ends((head @ front)[head @ up > top - CALOTTE_MM])
    if tip <= back or top <= bottom:
        return None
    bottom = max(bottom, top - HEIGHT * (tip - back))
    return Extent(Span(front, back, tip), Span(up, bottom, top))


def _ends(places: Vectors) -> tuple[float, float]:
    """First and last place of the sections that hold enough of the head."""
    sections = np.floor(places / SECTION_MM).astype(int)
    counts = np.bincount(sections - sections.min())
    held = np.flatnonzero(counts >= LEAST_AREA * counts.max()) + sections.min()
    return float(held[0] * SECTION_MM), float((held[-1] + 1) * SECTION_MM)
