"""Both diameters of each lesion as lines, for the canvas: where they lie, on which slice."""

from dataclasses import asdict, dataclass
from typing import Any

from daemon.outputs.wording import diameter_words
from daemon.report import Report
from daemon.report_parts import Lesion, Point
from viewer.scans.canvas import shown_slice

Line = tuple[Point, Point]


@dataclass(frozen=True)
class DiameterLines:
    """slice: from 0, in the order of the pictures; longest and across: both ends in RAS mm; words:
    both lengths."""

    lesion: int
    slice: int
    longest: Line
    across: Line
    words: str


def diameter_values(report: Report) -> dict[str, Any]:
    """For a scan's page: the lines as plain values, of lesions whose ends the report tells."""
    lines = [_lines(report, lesion) for lesion in report.lesions]
    return {"diameters": [asdict(each) for each in lines if each is not None]}


def _lines(report: Report, lesion: Lesion) -> DiameterLines | None:
    longest, across = lesion.longest_diameter_ends_ras_mm, lesion.perpendicular_diameter_ends_ras_mm
    index = shown_slice(report, lesion.diameter_slice)
    if longest is None or across is None or index is None:
        return None
    return DiameterLines(lesion.id, index, longest, across, diameter_words(lesion))
