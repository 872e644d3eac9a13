"""What a DICOM header tells of the sequence: a FLAIR of the head, something else, or nothing.

A FLAIR is an inversion recovery whose inversion time nulls fluid (1.4 to 3.2 s at 0.5 to 7 T)
and whose echo time gives T2 weighting (Hajnal et al., J Comput Assist Tomogr 1992; De Coene et
al., AJNR 1992). A short inversion time is that of STIR or a T1-weighted series.
"""

import re
from enum import StrEnum

from pydicom.dataset import Dataset

from model.volume import Note

FLAIR_NAMES = ("flair", "dark fluid", "dark-fluid", "dark_fluid", "darkfluid", "tirm")
OTHER_NAMES = re.compile(
    r"\b(t1w?|t2w?|pd|mprage|mp2rage|bravo|tfl|dwi|diff\w*|adc|trace|dti|epi|bold|fmri|swi|swan"
    r"|t2\*?|gre|hemo|tof|mra|angio|asl|perf\w*|dsc|locali[sz]er|scout|survey|stir)\b"
)
HEAD_PARTS = {"", "HEAD", "BRAIN", "SKULL", "HEADNECK", "HEAD AND NECK", "CRANIUM", "NEURO"}
FLUID_NULL_MS = (1400.0, 3200.0)
SHORTEST_ECHO_MS = 60.0


class Sequence(StrEnum):
    """What the header says."""

    FLAIR = "flair"
    OTHER = "other"
    UNKNOWN = "unknown"


def sequence_of(header: Dataset) -> Sequence:
    """From the acquisition's own numbers first, then from the names that people gave it."""
    name = (
        " ".join(str(header.get(tag, "")) for tag in ("SeriesDescription", "ProtocolName"))
        .lower()
        .replace("_", " ")
    )
    by_numbers = _by_numbers(header)
    if by_numbers is not Sequence.UNKNOWN:
        return by_numbers
    if any(word in name for word in FLAIR_NAMES) and not re.search(r"\bt1", name):
        return Sequence.FLAIR
    return Sequence.OTHER if OTHER_NAMES.search(name) else Sequence.UNKNOWN


def why_unfit(header: Dataset) -> Note | None:
    """The reason not to judge a series that its header says is no FLAIR of a head, or None."""
    part = str(header.get("BodyPartExamined", "") or "").strip().upper()
    if part not in HEAD_PARTS:
        return Note(
            "not_head", "The DICOM header names another part of the body: it was not judged."
        )
    if sequence_of(header) is Sequence.OTHER:
        return Note(
            "not_flair", "The DICOM header says that the series is no FLAIR: it was not judged."
        )
    return None


def _by_numbers(header: Dataset) -> Sequence:
    kinds = header.get("ScanningSequence") or ()
    kinds = {kinds} if isinstance(kinds, str) else {str(kind) for kind in kinds}
    inversion, echo = _number(header, "InversionTime"), _number(header, "EchoTime")
    if "EP" in kinds and "IR" not in kinds:
        return Sequence.OTHER
    if inversion:
        low, high = FLUID_NULL_MS
        fits = low <= inversion <= high and (echo is None or echo >= SHORTEST_ECHO_MS)
        return Sequence.FLAIR if fits else Sequence.OTHER
    if kinds and "IR" not in kinds and echo is not None:
        return Sequence.OTHER
    return Sequence.UNKNOWN


def _number(header: Dataset, tag: str) -> float | None:
    """A number of the header; None where it is missing or none."""
    try:
        return float(header.get(tag))
    except (TypeError, ValueError):
        return None
