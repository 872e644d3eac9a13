"""When two scans count as measured alike, as plain numbers that settings can give."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ChangeRules:
    """When two scans count as measured alike, and two lesions as the same one.

    spacing_ratio: most by which the spacing may differ, in the plane or across it (1 = not at
    all); plane_degrees: most by which the planes of acquisition may differ; same_lesion_mm:
    lesions that come this close, once the heads are in line, are one; shortest_days: over a
    shorter time no growth per 30 days is given.
    """

    spacing_ratio: float = 1.5
    plane_degrees: float = 20.0
    same_lesion_mm: float = 5.0
    shortest_days: float = 14.0


CHANGE_RULES = ChangeRules()
