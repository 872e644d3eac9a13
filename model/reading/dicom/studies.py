"""Which StudyInstanceUIDs are one study: those whose pictures make one stack.

Anonymizers and archives give new numbers file by file; a study is what its pictures say.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from model.errors import UnreadableScan
from model.reading.dicom.frames import Frame, frames_of, text_of
from model.reading.dicom.patient_tags import StudyTold
from model.reading.dicom.stacks import Stack, stacks_of
from model.rules import RULES, FlairRules

STUDY = "StudyInstanceUID"


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
