"""Which stack of a study is its FLAIR, and why the others are not: evidence before order."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from model.reading.dicom_frames import number_of
from model.reading.dicom_sequence import (
    Sequence,
    has_contrast,
    names_flair,
    sequence_of,
    why_unfit,
)
from model.reading.dicom_series import Stack
from model.reading.flair_rules import FlairRules
from model.volume import FEW, Note

NOT_TOLD = "The header does not say which sequence it is."
ISOTROPIC_MM = 2.0  # slices this thin can be seen from any side
WORSE = (  # why a FLAIR is not the one, by the first point in which the chosen one is better
    "Another series says in its own name that it is the FLAIR.",
    "It was computed from other pictures.",
    "It is not axial.",
    "It has too few slices.",
    "It was taken after a contrast agent.",
    "It has fewer slices.",
    "It is another FLAIR of the same study.",
)


@dataclass(frozen=True)
class Candidate:
    """A stack with what its header says.

    unfit: why it can never be judged; rank: the smallest is the best of its sequence.
    """

    stack: Stack
    sequence: Sequence
    unfit: Note | None
    rank: tuple[int, ...]


def weigh(stack: Stack, rules: FlairRules) -> Candidate:
    """What the header of one stack says for and against it."""
    header = stack.header
    unfit = _no_grey_mr(header) or why_unfit(header, rules)
    return Candidate(stack, sequence_of(header, rules), unfit, _rank(stack, rules))


def in_order(candidates: list[Candidate]) -> list[Candidate]:
    """Those that may be judged, the best first: FLAIR alone, or the one that does not say."""
    open_ones = [each for each in candidates if each.unfit is None]
    flair = [each for each in open_ones if each.sequence is Sequence.FLAIR]
    if flair:
        return sorted(flair, key=lambda each: each.rank)
    return open_ones if len(open_ones) == 1 else []


def why_not(candidate: Candidate, chosen: Candidate | None) -> str:
    """One sentence on why this stack was not the one."""
    if candidate.unfit is not None:
        return candidate.unfit.message.removesuffix(": it was not judged.").rstrip(".") + "."
    if candidate.sequence is not Sequence.FLAIR or chosen is None:
        return NOT_TOLD
    pairs = zip(candidate.rank, chosen.rank, strict=True)
    first = next((n for n, (own, best) in enumerate(pairs) if own != best), len(WORSE) - 1)
    return WORSE[min(first, len(WORSE) - 1)]


def _no_grey_mr(header: Dataset) -> Note | None:
    modality = str(header.get("Modality", ""))
    if modality and modality != "MR":
        return Note("not_mr", f"The series is {modality}, not MR: it was not judged.")
    if (number_of(header, "SamplesPerPixel") or 1) != 1:
        return Note("colour_picture", "The series is in colour: it was not judged.")
    return None


def _rank(stack: Stack, rules: FlairRules) -> tuple[int, ...]:
    """Small is good: named so, original, axial, enough slices, no contrast, many slices, early."""
    header = stack.header
    values = header.get("ImageType") or ()
    kinds = [values] if isinstance(values, str) else [str(kind).upper() for kind in values]
    computed = any(kind in ("MPR", "PROJECTION IMAGE", "MIP", "REFORMATTED") for kind in kinds)
    count = len({frame.instance for frame in stack.frames})
    return (
        int(not names_flair(header, rules)),
        int(computed or kinds[:1] == ["DERIVED"]),
        _off_axial(header),
        int(count < FEW),
        int(has_contrast(header, rules)),
        -count,
        int(number_of(header, "SeriesNumber") or 0),
    )


def _off_axial(header: Dataset) -> int:
    """0 axial, 1 another plane in thin slices that can be turned, 2 another plane or unknown."""
    try:
        turn = np.array(header.ImageOrientationPatient, dtype=float).reshape(2, 3)
    except (AttributeError, TypeError, ValueError):
        return 2
    if np.argmax(np.abs(np.cross(*turn))) == 2:
        return 0
    between = number_of(header, "SpacingBetweenSlices") or number_of(header, "SliceThickness")
    return 1 if between is not None and abs(between) <= ISOTROPIC_MM else 2
