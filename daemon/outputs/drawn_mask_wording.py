"""What a mask measures that somebody draws, in words; the viewer asks here and measures nothing."""

from dataclasses import dataclass
from pathlib import Path

from model.rules import Spacing

MOST_LESIONS = 20  # that are told; a brush leaves crumbs


@dataclass(frozen=True)
class DrawnLesion:
    """One lesion of a drawn mask, in words; lesions are numbered as in a report."""

    number: int
    size: str
    diameters: str


@dataclass(frozen=True)
class DrawnFigures:
    """What a drawn mask measures. size: of all lesions, in words; count: how many there are."""

    voxels: int
    size: str
    count: int
    lesions: tuple[DrawnLesion, ...]


def drawn_figures(published: Path, content: bytes, spacing: Spacing | None) -> DrawnFigures:
    """Measure a drawn mask. published: the scan's own mask, a NIfTI file on whose grid it must lie.

    content: a packed NIfTI file of 0 and 1; spacing: what a person entered, where the file tells no
    scale. Raises MaskError or UnreadableScan, with the reason.
    """
    from daemon.outputs.drawn_mask_measurement import (
        measure_drawn,  # only the process that measures needs numpy and the readers
    )

    return measure_drawn(published, content, spacing)
