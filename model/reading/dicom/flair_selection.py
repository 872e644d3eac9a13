"""Which stack of a study is its FLAIR, and why the others are not: evidence before order."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from model.catalogue import text
from model.reading.dicom.frames import number_of, text_of
from model.reading.dicom.sequence import (
    Sequence,
    has_contrast,
    names_flair,
    sequence_of,
    why_unfit,
)
from model.reading.dicom.stacks import Stack
from model.rules import FlairRules
from model.volume import FEW, Note, note

ISOTROPIC_MM = 2.0  # slices this thin can be seen from any side
REFORMATTED = ("MPR", "PROJECTION IMAGE", "MIP", "REFORMATTED")
NO_MAGNITUDE = ("P", "PHASE", "PHASE MAP", "R", "REAL", "I", "IMAGINARY")
WORSE = (  # why a FLAIR is not the one, by the first point in which the chosen one is better
    "cannot_be_turned",
    "another_named",
    "computed",
    "not_axial",
    "few_slices",
    "contrast",
    "fewer_slices",
    "another_flair",
)
AGAIN = 6  # of these points two repetitions share, and the slices of one may be fewer by a tenth
NEARLY_ALL = 0.9
ACQUISITION = ("AcquisitionTime", "AcquisitionNumber", "TemporalPositionIdentifier")
TURNED, MOVED_MM = 0.1, 15.0  # of a direction's component, between two scans of one plan


@dataclass(frozen=True)
class Candidate:
    """A stack with what its header says.

    unfit: why it can never be analyzed; rank: the smallest is the best of its sequence.
    """

    stack: Stack
    sequence: Sequence
    unfit: Note | None
    rank: tuple[int, ...]

    @property
    def slices(self) -> int:
        """How many there are of it."""
        return len(self.stack.frames)


def weigh(stack: Stack, rules: FlairRules) -> Candidate:
    """What the header of one stack says for and against it."""
    header = stack.header
    unfit = _no_grey_mr(header) or why_unfit(header, rules)
    return Candidate(stack, sequence_of(header, rules), unfit, _rank(stack, rules))


def in_order(candidates: list[Candidate]) -> list[Candidate]:
    """Those that may be analyzed, the best first: FLAIR alone, or the one that does not say.

    Of repetitions the later one goes first: a scan is taken again when the first one failed.
    """
    open_ones = [each for each in candidates if each.unfit is None]
    flair = [each for each in open_ones if each.sequence is Sequence.FLAIR]
    if not flair:
        return open_ones if len(open_ones) == 1 else []
    ordered = sorted(flair, key=lambda each: (each.rank, _called(each.stack)))
    again = [ordered[0], *repetitions(ordered[0], ordered)]
    again.sort(key=lambda each: _taken(each.stack), reverse=True)
    return again + [each for each in ordered if each not in again]


def repetitions(candidate: Candidate, others: list[Candidate]) -> list[Candidate]:
    """Other stacks of the same place and kind: the same scan, taken again."""
    return [
        other
        for other in others
        if other is not candidate
        and other.unfit is None
        and other.sequence is candidate.sequence
        and other.rank[:AGAIN] == candidate.rank[:AGAIN]
        and min(other.slices, candidate.slices) >= NEARLY_ALL * max(other.slices, candidate.slices)
        and _is_there(other.stack, candidate.stack)
        and not _is_same_data(other.stack, candidate.stack)
    ]


def _is_there(one: Stack, other: Stack) -> bool:
    """Whether two stacks show the same slab: it may lie a slice off, as people move."""
    first, second = one.frames[0].place, other.frames[0].place
    if first is None or second is None or one.header.Rows != other.header.Rows:
        return False
    turned = np.abs([*(first.along - second.along), *(first.down - second.down)]).max()
    return bool(turned < TURNED and np.abs(first.first_pixel - second.first_pixel).max() < MOVED_MM)


def _is_same_data(one: Stack, other: Stack) -> bool:
    """Whether two stacks were computed from one acquisition, as with and without a filter."""
    first, second = (
        [text_of(stack.frames[0].header, tag) for tag in ACQUISITION] for stack in (one, other)
    )
    return bool(first[0]) and first == second


def _taken(stack: Stack) -> tuple[str, float, float]:
    header = stack.header
    numbers = [number_of(header, tag) or 0.0 for tag in ("SeriesNumber", "AcquisitionNumber")]
    first = number_of(header, "InstanceNumber") or 0.0
    moment = text_of(header, "AcquisitionTime") or text_of(header, "SeriesTime")
    return moment, numbers[0], numbers[1] or first


def _called(stack: Stack) -> tuple[str, str, str]:
    """So that the order of the files never decides."""
    header = stack.header
    return (
        text_of(header, "SeriesDescription"),
        text_of(header, "ImageType"),
        text_of(header, "ImagePositionPatient"),
    )


def why_not(candidate: Candidate, chosen: Candidate | None, is_asked: bool = False) -> str:
    """One sentence on why this stack was not the one; is_asked: a person chose another one."""
    if candidate.unfit is not None:
        return candidate.unfit.message
    if candidate.sequence is not Sequence.FLAIR or chosen is None:
        return text("series.sequence_unknown")
    if is_asked:
        return text("series.another_asked")
    if repetitions(chosen, [candidate]):
        return text("series.taken_again")
    pairs = zip(candidate.rank, chosen.rank, strict=True)
    first = next((n for n, (own, best) in enumerate(pairs) if own != best), len(WORSE) - 1)
    return text(f"series.{WORSE[min(first, len(WORSE) - 1)]}")


def _no_grey_mr(header: Dataset) -> Note | None:
    modality = str(header.get("Modality", ""))
    if modality and modality != "MR":
        return note("not_mr", modality=modality)
    if (number_of(header, "SamplesPerPixel") or 1) != 1:
        return note("colour_picture", "colour_series")
    return None


def _rank(stack: Stack, rules: FlairRules) -> tuple[int, ...]:
    """Small is good: can be analyzed at all, named so, original, axial, enough slices, no
    contrast, many slices, early."""
    header = stack.header
    plane, count = _off_axial(header), len(stack.frames)
    return (
        int(plane == 2),
        int(not names_flair(header, rules)),
        int(_is_computed(header)),
        plane,
        int(count < FEW),
        int(has_contrast(header, rules)),
        -count,
        int(number_of(header, "SeriesNumber") or 0),
    )


def _is_computed(header: Dataset) -> bool:
    """Reformatted or derived from other pictures, or not the magnitude of the signal."""
    values = header.get("ImageType") or ()
    kinds = [values] if isinstance(values, str) else [str(kind).upper() for kind in values]
    words = any(kind in REFORMATTED for kind in kinds)
    return words or kinds[:1] == ["DERIVED"] or any(kind in NO_MAGNITUDE for kind in kinds[2:])


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
