"""Which StudyInstanceUIDs are one study: those whose pictures make one stack.

Anonymizers and archives give new numbers file by file; a study is what its pictures say.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from pathlib import Path

from pydicom.dataset import Dataset

from model.errors import UnreadableScan
from model.reading.dicom.frames import Frame, frames_of, text_of
from model.reading.dicom.patient_tags import StudyTold
from model.reading.dicom.repeats import SERIES, is_one_stack
from model.reading.dicom.stacks import Stack, stacks_of
from model.rules import RULES, FlairRules
from model.volume import FEW

STUDY = "StudyInstanceUID"
REFERENCE = "FrameOfReferenceUID"
EVEN = 3  # slices by which the distance of a stack is known


class Fit(Enum):
    """How well some pictures fit those of another study."""

    NONE = "none"
    PERHAPS = "perhaps"
    SURE = "sure"


def studies_in(stacks: Iterable[Stack]) -> dict[str, str]:
    """Of each StudyInstanceUID the one that stands for its study: the first by its digits.

    Where some numbers are of one picture each and yet one study, so are the others of that
    patient and day that are of one picture each.
    """
    stands: dict[str, str] = {}
    pictures: Counter[str] = Counter()
    days: dict[str, tuple[str, str]] = {}
    for stack in stacks:
        every = (*stack.frames, *stack.twins)
        numbers = {text_of(frame.header, STUDY) for frame in every} - {""}
        _join(stands, numbers)
        pictures.update(text_of(frame.header, STUDY) for frame in every)
        days |= {text_of(frame.header, STUDY): _day(frame) for frame in every}
    numbered = {number for number in stands if pictures[number] == 1}
    broken = {days[number] for number in numbered if stands[number] != number}
    for day in broken:
        _join(stands, {number for number in numbered if days[number] == day})
    return {number: _stands_for(stands, number) for number in stands}


def studies_among(
    files: Iterable[tuple[Path, StudyTold]], rules: FlairRules = RULES
) -> dict[str, str]:
    """The same of files whose study is told already: those alone are opened that may be one."""
    told = list(files)
    days: dict[tuple[str, str], set[str]] = {}
    for _, study in told:
        days.setdefault((study.patient_id, study.day), set()).add(study.uid)
    frames: list[Frame] = []
    for path, study in told:
        if len(days[study.patient_id, study.day]) > 1:
            frames += _frames(path)
    stands = {study.uid: study.uid for _, study in told}
    return stands | studies_in(stacks_of(frames, rules))


def fit_of(before: Iterable[Path], late: Iterable[Path], rules: FlairRules = RULES) -> Fit:
    """Whether files that came late, under whatever numbers, are of the study of those before.

    They are where both make one even stack, each picture at a place of its own, and share the
    series or the frame of reference. A few slices that fit in all but that, or by their series
    alone, may be.
    """
    old = [frame for path in before for frame in _frames(path)]
    new = [frame for path in late for frame in _frames(path)]
    shared = _shared(old, new)
    fit = Fit.NONE
    for stack in _of_both(old, new, rules):
        is_known = shared and bool(text_of(stack.header, "StudyDate"))
        if is_known and _is_even(stack, new):
            return Fit.SURE
        fit = Fit.PERHAPS
    if fit is Fit.NONE and len(new) < FEW:
        bare = _without_reference(new)
        stacks = _of_both(_without_reference(old), bare, rules)
        fit = Fit.PERHAPS if any(_is_even(stack, bare) for stack in stacks) else fit
    return fit


def _of_both(old: list[Frame], new: list[Frame], rules: FlairRules) -> list[Stack]:
    """The stacks that hold some of each."""
    came = {id(frame) for frame in new}
    stacks = stacks_of([*old, *new], rules)
    sides = [
        {id(frame) in came for frame in (*stack.frames, *stack.twins)}  # two where both are there
        for stack in stacks
    ]
    return [stack for stack, found in zip(stacks, sides, strict=True) if len(found) > 1]


def _is_even(stack: Stack, new: list[Frame]) -> bool:
    """Whether it makes a volume, and one of both sides alone tells how far apart slices lie."""
    came = {id(frame) for frame in new}
    late = sum(id(frame) in came for frame in stack.frames)
    return max(late, len(stack.frames) - late) >= EVEN and is_one_stack(list(stack.frames))


def _shared(old: list[Frame], new: list[Frame]) -> bool:
    """Whether they name a series or a frame of reference that is the same."""
    return any(
        {text_of(frame.header, tag) for frame in old}
        & {text_of(frame.header, tag) for frame in new} - {""}
        for tag in (SERIES, REFERENCE)
    )


def _without_reference(frames: list[Frame]) -> list[Frame]:
    bare = []
    for frame in frames:
        header = Dataset()
        header.update({element.tag: element for element in frame.header})
        header.pop(REFERENCE, None)
        bare.append(replace(frame, header=header))
    return bare


def _frames(path: Path) -> tuple[Frame, ...]:
    try:
        return frames_of(path)
    except UnreadableScan:  # who reads the scan says what is wrong
        return ()


def _day(frame: Frame) -> tuple[str, str]:
    return text_of(frame.header, "PatientID").strip(), text_of(frame.header, "StudyDate")


def _join(stands: dict[str, str], numbers: set[str]) -> None:
    for number in numbers:
        stands.setdefault(number, number)
    roots = {_stands_for(stands, number) for number in numbers}
    for root in roots:
        stands[root] = min(roots)


def _stands_for(stands: dict[str, str], number: str) -> str:
    while stands[number] != number:
        number = stands[number]
    return number
