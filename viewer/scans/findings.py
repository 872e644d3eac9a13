"""What was found in a scan as a page tells it: short facts, and one line a lesion."""

from dataclasses import dataclass
from typing import Any

from daemon.outputs.wording import (
    NO_EARLIER,
    NO_LOBE,
    NOT_KNOWN,
    NOTHING_DOUBTFUL,
    SIDES,
    confidence_words,
    diameter_words,
    lesion_size,
    midline_words,
    place_words,
    range_words,
    size_words,
)
from viewer.scans.canvas import shown_slice

MOST_NOTES = 3  # beside the picture; all of them stand below
CROSSES = "{reach:.0f} mm across the midline"
CROSSES_NOT = "does not cross the midline"


@dataclass(frozen=True)
class LesionLine:
    """One row of the lesions' table, in words; slices are counted from 1, as the pictures are.

    slice: from 0, None where it is not known; centre: its middle in RAS mm, or None.
    """

    number: int
    size: str
    diameters: str
    side: str
    place: str
    slice: int | None
    centre: list[float] | None
    mean_probability: str

    @property
    def largest_slice(self) -> str:
        """The slice of its largest area, from 1."""
        return NOT_KNOWN if self.slice is None else str(self.slice + 1)


def lesion_line(report: dict[str, Any], lesion: dict[str, Any]) -> LesionLine:
    """One lesion of a report as a row."""
    probability = lesion.get("mean_probability")
    return LesionLine(
        lesion["id"],
        lesion_size(lesion),
        diameter_words(lesion),
        SIDES[lesion["side"]],
        place_words(lesion),
        shown_slice(report, lesion.get("largest_slice")),
        lesion.get("centroid_ras_mm"),
        NOT_KNOWN if probability is None else f"{probability:.2f}",
    )


def facts(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Pairs of a label and its words; none of a scan that was not judged."""
    if report["finding"] == "not_judged":
        return []
    lesions = report["lesions"]
    told = [("Volume" if report["volume_ml"] is not None else "Size", _size(report))]
    if lesions:
        first = lesions[0]
        count = "1" if len(lesions) == 1 else f"{len(lesions)}; the largest is told here"
        told += [
            ("Diameters", diameter_words(first)),
            ("Side", SIDES[first["side"]]),
            ("Lobe", first.get("lobe_words", NO_LOBE)),
            ("Midline", _crossing(first)),
            ("Lesions", count),
        ]
    if shift := midline_words(report):
        told.append(("Midline shift", shift.removeprefix("Midline shift: ")))
    told.append(("Change", (report.get("change") or {}).get("words") or NO_EARLIER))
    if confidence := confidence_words(report):
        told.append(("Confidence", confidence))
    return told


def notes_beside(report: dict[str, Any]) -> tuple[list[str], int]:
    """The first doubts of a report in words, and how many more there are."""
    notes = [str(note["message"]) for note in report["quality"]] or [NOTHING_DOUBTFUL]
    return notes[:MOST_NOTES], max(0, len(notes) - MOST_NOTES)


def _size(report: dict[str, Any]) -> str:
    limits = range_words(report)
    return size_words(report) + (f" ({limits})" if limits else "")


def _crossing(lesion: dict[str, Any]) -> str:
    crosses = lesion.get("crosses_midline")
    if crosses is None:
        return NOT_KNOWN
    reach = lesion.get("across_midline_mm")
    return CROSSES.format(reach=reach) if crosses and reach is not None else CROSSES_NOT
