"""Is a DICOM series whole? What its headers count, against the pictures that have arrived.

The counts are those of whoever wrote or sent the files, so only too few pictures are told; a stack
whose positions do not run from 1 lacks those below and between, and nobody knows its last one.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from model.reading.dicom.frames import Frame, number_of, text_of
from model.reading.dicom.repeats import SERIES
from model.rules import INCOMPLETE
from model.volume import Note, note

MOST_COUNTED = 100_000  # a larger number in a header is no count of pictures


def why_incomplete(
    chosen: Sequence[Frame], every: Iterable[Frame], other_objects: int
) -> Note | None:
    """What of a chosen series has not arrived, by its headers; None where they miss nothing.

    every: all pictures of the study; other_objects: its DICOM files without pictures.
    A study may be sent in part on purpose: it is not asked where the series is known to be whole.
    """
    every = list(every)
    series = {text_of(frame.header, SERIES) for frame in chosen}
    same = [frame for frame in every if text_of(frame.header, SERIES) in series]
    came, files = len(_pictures(same)), len(_instances(same))
    of_series = _count(chosen, "NumberOfSeriesRelatedInstances")
    of_acquisition = _count(chosen, "ImagesInAcquisition") if _is_original(chosen[0]) else 0
    if files < of_series or came < of_acquisition:
        counted = (files, of_series) if files < of_series else (came, of_acquisition)
        return note(INCOMPLETE, "series_part", came=counted[0], told=counted[1])
    if gone := _positions_missing(same):
        return note(INCOMPLETE, "stack_part", slices=_as_ranges(gone), count=len(gone))
    of_study = _count(chosen, "NumberOfStudyRelatedInstances")
    objects = len(_instances(every)) + other_objects
    if not of_series and objects < of_study:
        return note(INCOMPLETE, "study_part", came=objects, told=of_study)
    return None


def _pictures(frames: Iterable[Frame]) -> set[tuple[str, int]]:
    """Each picture once, however often it came under its number."""
    return {(_instance(frame), frame.index) for frame in frames}


def _instances(frames: Iterable[Frame]) -> set[str]:
    return {_instance(frame) for frame in frames}


def _instance(frame: Frame) -> str:
    """SOPInstanceUID; the file where it has none."""
    return frame.instance[0] or str(frame.file)


def _count(frames: Iterable[Frame], tag: str) -> int:
    """The largest count that the headers give; 0 where none does."""
    told = [number_of(frame.header, tag) or 0 for frame in frames]
    return max((int(each) for each in told if 0 < each <= MOST_COUNTED), default=0)


def _is_original(frame: Frame) -> bool:
    """Derived pictures may repeat the counts of those from which they were computed."""
    kinds = frame.header.get("ImageType") or ()
    return "DERIVED" not in ({kinds} if isinstance(kinds, str) else kinds)


def _positions_missing(frames: Iterable[Frame]) -> list[int]:
    """Positions from 1 to the last that no picture of the series holds; none if none is told."""
    told = {int(number_of(frame.header, "InStackPositionNumber") or 0) for frame in frames}
    last = max(told, default=0)
    return [each for each in range(1, last) if each not in told] if last <= MOST_COUNTED else []


def _as_ranges(numbers: list[int]) -> str:
    """1, 2, 3, 7 as "1 to 3, 7"."""
    after_gap = [b for a, b in pairwise(numbers) if b > a + 1]
    before_gap = [a for a, b in pairwise(numbers) if b > a + 1]
    runs = zip([numbers[0], *after_gap], [*before_gap, numbers[-1]], strict=True)
    return ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in runs)
