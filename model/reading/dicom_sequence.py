"""What a DICOM header tells of the sequence: a FLAIR of the head, something else, or nothing.

A FLAIR is an inversion recovery whose inversion time nulls fluid (1.4 to 3.2 s at 0.5 to 7 T)
and whose echo time gives T2 weighting (Hajnal et al., J Comput Assist Tomogr 1992; De Coene et
al., AJNR 1992). A short inversion time is that of STIR or a T1-weighted series.
"""

import re
from enum import StrEnum

from pydicom.dataset import Dataset

from model.volume import Note

FLAIR_NAMES = (
    "flair",
    "dark fluid",
    "dark-fluid",
    "darkfluid",
    "da-fl",
    "da fl",
    "tirm",
)
OTHER_NAMES = re.compile(
    r"\b(t1w?|t2w?|pd|mprage|mp2rage|bravo|tfl|dwi|diff\w*|adc|trace|dti|epi|bold|fmri|swi|swan"
    r"|gre|hemo|tof|mra|angio|asl|perf\w*|dsc|locali[sz]er|scout|survey|stir)\b"
)
HEAD = re.compile(r"HEAD|BRAIN|SKULL|CRAN|NEURO|CEREB|ORBIT|PITUIT")
OTHER_PARTS = re.compile(
    r"SPINE|NECK|CHEST|THORAX|BREAST|HEART|ABDOMEN|LIVER|KIDNEY|PELVIS|PROSTATE|UTERUS|HIP"
    r"|SHOULDER|ARM|ELBOW|WRIST|HAND|LEG|THIGH|KNEE|ANKLE|FOOT|EXTREMITY|CALF"
)
FLUID_NULL_MS = (1400.0, 3200.0)
SHORTEST_ECHO_MS = 60.0


class Sequence(StrEnum):
    """What the header says."""

    FLAIR = "flair"
    OTHER = "other"
    UNKNOWN = "unknown"


def sequence_of(header: Dataset) -> Sequence:
    """What the acquisition's numbers say, then what people called it, then what is missing.

    A number may contradict the name; that one is absent may not, since exports drop them.
    """
    by_numbers = _by_numbers(header)
    if by_numbers is not Sequence.UNKNOWN:
        return by_numbers
    series, protocol = (
        str(header.get(tag, "") or "").lower().replace("_", " ")
        for tag in ("SeriesDescription", "ProtocolName")
    )
    names = f"{series} {protocol}"
    if any(word in names for word in FLAIR_NAMES) and not re.search(r"\bt1", series):
        return Sequence.FLAIR
    kinds = _kinds(header)
    shown = "EP" in kinds or _number(header, "EchoTime") is not None
    no_inversion = kinds and "IR" not in kinds and shown
    return Sequence.OTHER if no_inversion or OTHER_NAMES.search(names) else Sequence.UNKNOWN


def why_unfit(header: Dataset) -> Note | None:
    """The reason not to judge a series that its header says is no FLAIR of a head, or None."""
    part = str(header.get("BodyPartExamined", "") or "").upper()
    if OTHER_PARTS.search(part) and not HEAD.search(part):
        return Note(
            "not_head", "The DICOM header names another part of the body: it was not judged."
        )
    if sequence_of(header) is Sequence.OTHER:
        return Note(
            "not_flair", "The DICOM header says that the series is no FLAIR: it was not judged."
        )
    return None


def _by_numbers(header: Dataset) -> Sequence:
    inversion, echo = _number(header, "InversionTime"), _number(header, "EchoTime")
    if not inversion:
        return Sequence.UNKNOWN
    low, high = FLUID_NULL_MS
    fits = low <= inversion <= high and (echo is None or echo >= SHORTEST_ECHO_MS)
    return Sequence.FLAIR if fits else Sequence.OTHER


def _kinds(header: Dataset) -> set[str]:
    kinds = header.get("ScanningSequence") or ()
    return {kinds} if isinstance(kinds, str) else {str(kind) for kind in kinds}


def _number(header: Dataset, tag: str) -> float | None:
    """A number of the header; None where it is missing or none."""
    try:
        return float(header.get(tag))
    except (TypeError, ValueError):
        return None
